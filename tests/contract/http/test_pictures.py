"""Boot proofs over HTTP: asked for, and what they showed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from images import debian_like
from service import SEED, Service, serving

PNG = b"\x89PNG\r\n\x1a\n and more"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service where nobody works on tasks."""
    options = {"ISOBAY_TASKS_AT_ONCE": "0", "ISOBAY_BOOT_PROOF": "auto", "ISOBAY_LIBVIRT": "off"}
    with serving(tmp_path_factory.mktemp("data"), **options) as running:
        yield running


@pytest.fixture
def path(shelf: Service, tmp_path: Path) -> str:
    """Give the path of a bootable ISO."""
    return f"{SEED}/isos/{shelf.add(debian_like(tmp_path / 'bootable.iso'))['id']}"


def show(service: Service, path: str, png: bytes) -> None:
    """Keep a picture of an ISO."""
    with service.behind.catalog.writing() as tx:
        service.behind.catalog.boot_proofs.keep_picture(tx, path.rpartition("/")[2], png)


def test_a_picture_is_sent_when_there_is_one(shelf: Service, path: str):
    """Without a picture 404 says how to get one; with one it is sent, and not again to who knows it."""
    missing = shelf.client().get(f"{path}/picture")
    assert (missing.status_code, "operation=prove" in missing.text) == (404, True)
    show(shelf, path, PNG)
    sent = shelf.client().get(f"{path}/picture")
    assert (sent.status_code, sent.content, sent.headers["content-type"]) == (200, PNG, "image/png")
    assert sent.headers["x-content-type-options"] == "nosniff"
    known = {"If-None-Match": sent.headers["etag"]}
    again = shelf.client().get(f"{path}/picture", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    show(shelf, path, PNG + b" other")
    assert shelf.client().get(f"{path}/picture", headers=known).content == PNG + b" other"
    assert shelf.client().head(f"{path}/picture").content == b""


def test_a_proof_is_asked_for(shelf: Service, path: str):
    """The answer is a task and the ISO, whose bootProof is missing until then; a second one is refused meanwhile."""
    assert "bootProof" not in shelf.get(path)
    answer = shelf.client().post(path, params={"operation": "prove"})
    assert answer.status_code == 200
    said = answer.json()
    assert (said["taskStatus"], said["data"]["id"]) == ("PENDING", path.rpartition("/")[2])
    refused = shelf.client().post(path, params={"operation": "prove"})
    assert (refused.status_code, refused.json()["errors"][0]["errorCode"]) == (409, "2013")
    log = shelf.get("/v1/activity_log", objectId=said["data"]["id"])
    assert [(each["operation"], each["result"]) for each in log][:2] == [
        ("iso.prove", "2013"),
        ("iso.prove", "SUCCESS"),
    ]


def test_a_picture_goes_with_its_iso(shelf: Service, path: str):
    """When an ISO is deleted nothing is left of its proof, which is ended."""
    show(shelf, path, PNG)
    task_id = shelf.client().post(path, params={"operation": "prove"}).json()["taskId"]
    assert shelf.client().delete(path).status_code == 200
    assert shelf.client().get(f"{path}/picture").status_code == 404
    assert shelf.get(f"/v1/tasks/{task_id}")["status"] == "FAILED"
    with shelf.behind.catalog.reading() as tx:
        assert shelf.behind.catalog.boot_proofs.picture(tx, path.rpartition("/")[2]) == b""
