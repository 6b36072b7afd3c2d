"""A whole service whose images lie in S3, as its callers and its operator see it."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from stores import S3Store

from servers import leave_out
from service import KEY, SEED, Service, environment, serving
from sources import nginx

MIB = 1 << 20
PATIENCE_SECONDS = 60
TUS = {"Tus-Resumable": "1.0.0", "MC-Api-Key": KEY}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def kept(s3, options, tmp_path: Path, service: Service) -> Iterator[S3Store]:
    """What the service keeps in S3; whatever a test leaves can be deleted, and then nothing is there."""
    store = S3Store(s3, tmp_path, **options)
    yield store
    for iso in service.get(f"{SEED}/isos"):
        assert service.client().delete(f"{SEED}/isos/{iso['id']}").status_code == 200
    assert store.left() == set()
    assert not service.behind.settings.objects_dir.exists()


def _isobay(service: Service, options: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    data_dir = str(service.behind.settings.data_dir)
    return subprocess.run(
        [sys.executable, "-m", "isobay", *map(str, arguments)],
        env=environment(**options, ISOBAY_DATA_DIR=data_dir),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def _ready(service: Service, iso_id: str) -> dict[str, Any]:
    deadline = monotonic() + PATIENCE_SECONDS
    while not (iso := service.get(f"{SEED}/isos/{iso_id}"))["ready"]:
        assert monotonic() < deadline, iso
        Event().wait(0.05)
    return iso


def _extractable(service: Service, path: Path) -> tuple[dict[str, Any], str]:
    """An ISO on the shelf, and a link to it."""
    iso = service.add(path)
    url = f"{SEED}/isos/{iso['id']}"
    assert service.client().put(url, json={"extractable": True}).status_code == 200
    asked = service.client().post(url, params={"operation": "generateDownloadUrl"})
    assert asked.status_code == 200, asked.text
    return iso, asked.json()["result"]["url"]


def test_a_file_goes_to_s3_and_comes_back(service, kept, options, large, tmp_path):
    """By the command, with ranges, and by the command again: here, and from elsewhere by a key."""
    added = _isobay(service, options, "add", large, "--json")
    assert added.returncode == 0, added.stderr
    iso = json.loads(added.stdout)["iso"]
    data = large.read_bytes()
    assert iso["checksums"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert len(kept.left()) == 1
    content = f"{SEED}/isos/{iso['id']}/content"
    answer = service.client().get(content, follow_redirects=False)
    assert (answer.status_code, answer.content == data) == (200, True)
    part = service.client().get(content, headers={"Range": f"bytes={20 * MIB - 5}-{20 * MIB + 4},-3"})
    assert part.status_code == 206
    assert data[20 * MIB - 5 : 20 * MIB + 5] in part.content
    assert data[-3:] in part.content
    assert service.get(f"{SEED}/isos/{iso['id']}/files")
    for number, far in enumerate(({}, {"ISOBAY_URL": service.address, "ISOBAY_KEY": KEY})):
        saved = tmp_path / f"{number}.iso"
        done = _isobay(service, {**options, **far}, "download", iso["id"], "-o", saved)
        assert done.returncode == 0, done.stderr
        assert saved.read_bytes() == data


def test_an_import_goes_to_s3(service, kept, large):
    """Its bytes are those of its source."""
    with nginx(large.parent) as source:
        body = {"name": "imported", "description": "", "url": source.url(f"/{large.name}")}
        answer = service.client().post(f"{SEED}/isos", json=body)
        assert answer.status_code == 200, answer.text
        iso = _ready(service, answer.json()["data"]["id"])
    assert iso["checksums"]["sha256"] == hashlib.sha256(large.read_bytes()).hexdigest()
    assert len(kept.left()) == 1


def test_an_upload_outlives_its_service(s3, large, tmp_path):
    """A kill in the middle of a request loses nothing of what was told, and another machine goes on."""
    store, data = S3Store(s3, tmp_path), large.read_bytes()
    with serving(tmp_path / "data", **store.options) as service, httpx.Client(base_url=service.address) as client:
        begun = client.post(
            f"{SEED}/uploads", headers={**TUS, "Upload-Length": str(len(data)), "Upload-Metadata": "name eA=="}
        )
        path = begun.headers["location"]
        first = client.patch(path, headers={**BYTES, "Upload-Offset": "0"}, content=data[: 5 * MIB])
        assert first.headers["upload-offset"] == str(5 * MIB)

        def rest() -> Iterator[bytes]:
            yield data[5 * MIB : 32 * MIB]
            service.process.kill()
            yield data[32 * MIB :]

        with pytest.raises(httpx.TransportError):
            client.patch(path, headers={**BYTES, "Upload-Offset": str(5 * MIB)}, content=rest())
        service.process.wait()
    same = {**store.options, "ISOBAY_DATABASE_URL": f"sqlite:///{tmp_path / 'data' / 'isobay.db'}"}
    with serving(tmp_path / "elsewhere", **same) as service, httpx.Client(base_url=service.address) as client:
        offset = int(client.head(path, headers=TUS).headers["upload-offset"])
        assert 5 * MIB <= offset <= len(data)
        done = client.patch(path, headers={**BYTES, "Upload-Offset": str(offset)}, content=data[offset:])
        assert done.status_code == 204, done.text
        iso = _ready(service, path.rpartition("/")[2])
        assert iso["checksums"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert {kind for _, kind in store.left()} == {"whole"}


@pytest.mark.usefixtures("kept")
def test_a_link_leads_to_s3(service, s3, large):
    """The bytes, any range of them and the name come from there; when the ISO is deleted nothing does."""
    data, (iso, link) = large.read_bytes(), _extractable(service, large)
    with httpx.Client() as client:
        answer = client.get(link)
        elsewhere = answer.headers["location"]
        assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store")
        assert elsewhere.startswith(s3.endpoint)
        whole = client.get(link, follow_redirects=True)
        assert whole.content == data
        assert whole.headers["content-disposition"] == client.head(link).headers["content-disposition"]
        part = client.get(link, headers={"Range": "bytes=7-1000006"}, follow_redirects=True)
        assert (part.status_code, part.content) == (206, data[7:1_000_007])
        parts = urlsplit(elsewhere)
        assert client.get(parts._replace(query=parts.query.replace("large", "other")).geturl()).status_code == 403
        assert service.client().delete(f"{SEED}/isos/{iso['id']}").status_code == 200
        assert (client.get(link).status_code, client.get(elsewhere).status_code) == (404, 404)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 200),
        ("GET", {"Range": "bytes=0-9,20-29"}, 206),
        ("GET", {"If-None-Match": '"other"'}, 200),
        ("GET", {"If-Range": '"other"', "Range": "bytes=0-9"}, 200),
        ("GET", {"If-Match": '"other"'}, 412),
    ],
    ids=["head", "several ranges", "none match", "if range", "match"],
)
@pytest.mark.usefixtures("kept")
def test_what_s3_would_answer_otherwise_is_answered_here(service, small, method, headers, status):
    """It knows neither our tags nor several ranges."""
    _, link = _extractable(service, small)
    assert httpx.request(method, link, headers=headers).status_code == status


@pytest.mark.usefixtures("kept")
def test_curl_goes_on_through_a_link(service, large, tmp_path):
    """With what people use: -L follows, and -C - goes on from what is there."""
    if not shutil.which("curl"):
        leave_out("curl is not installed: install Debian's package curl")
    _, link = _extractable(service, large)
    saved = tmp_path / "saved.iso"
    saved.write_bytes(large.read_bytes()[: 9 * MIB])
    subprocess.run(["curl", "-sSfL", "-C", "-", "-o", saved, link], check=True, timeout=PATIENCE_SECONDS)
    assert saved.read_bytes() == large.read_bytes()


@pytest.mark.usefixtures("kept")
def test_a_link_may_stay_here(options, service, small, tmp_path):
    """ISOBAY_S3_REDIRECT=false: where callers do not reach S3 the bytes come from us."""
    _, link = _extractable(service, small)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    shutil.copy(service.behind.settings.data_dir / "secret.key", data_dir)
    url = {"ISOBAY_DATABASE_URL": f"sqlite:///{service.behind.settings.data_dir / 'isobay.db'}"}
    with serving(data_dir, **options, **url, ISOBAY_S3_REDIRECT="false", ISOBAY_TASKS_AT_ONCE="0") as other:
        parts, there = urlsplit(link), urlsplit(other.address)
        answer = httpx.get(parts._replace(netloc=there.netloc).geturl())
        assert (answer.status_code, answer.content) == (200, small.read_bytes())


def test_equal_images_of_an_environment_lie_in_s3_once(service, kept, small):
    """Their bytes go with the last one."""
    one, other = service.add(small, "one"), service.add(small, "other")
    assert len(kept.left()) == 1
    for iso, left in ((one, 1), (other, 0)):
        assert service.client().delete(f"{SEED}/isos/{iso['id']}").status_code == 200
        assert len(kept.left()) == left


def test_a_signed_url_tells_nothing_of_other_environments(service, kept, small):
    """Another one's equal image has an object of its own: URLs from before stay good, and new ones name the same."""
    area = "beside"
    service.new_environment(area)
    _, link = _extractable(service, small)
    before = httpx.get(link).headers["location"]
    other = service.add(small, environment=area)
    assert httpx.get(before).content == small.read_bytes()
    assert urlsplit(httpx.get(link).headers["location"]).path == urlsplit(before).path
    assert len(kept.left()) == 2
    assert service.behind.sweep() == 0
    assert len(kept.left()) == 2
    path = f"/v1/services/compute-on/{area}/isos/{other['id']}"
    assert service.client().delete(path).status_code == 200
    assert httpx.get(link, follow_redirects=True).content == small.read_bytes()


def test_equal_images_lie_in_s3_once_where_nobody_is_sent_there(s3, small, tmp_path):
    """ISOBAY_S3_REDIRECT=false: no URL shows what others have."""
    store = S3Store(s3, tmp_path, ISOBAY_S3_REDIRECT="false")
    with serving(tmp_path / "data", **store.options, ISOBAY_TASKS_AT_ONCE="0") as service:
        service.new_environment("beside")
        for area in ("test_area", "beside"):
            service.add(small, environment=area)
        assert len(store.left()) == 1


def test_who_goes_away_in_the_midst_leaves_no_alarm_in_the_log(s3, large, tmp_path, capfd):
    """Nor does one who asked for many things at once, and is reset with most of it still to come."""
    with serving(tmp_path / "data", **S3Store(s3, tmp_path).options, ISOBAY_TASKS_AT_ONCE="0") as service:
        iso, _ = _extractable(service, large)
        content, there = f"{SEED}/isos/{iso['id']}/content", urlsplit(service.address)
        request = f"GET {content} HTTP/1.1\r\nHost: {there.netloc}\r\nMC-Api-Key: {KEY}\r\n\r\n".encode()
        for _ in range(10):
            with socket.create_connection((there.hostname, there.port), timeout=PATIENCE_SECONDS) as connection:
                connection.sendall(request * 20)
                assert connection.recv(12) == b"HTTP/1.1 200"
                # With bytes of it unread a closed connection is reset.
        assert service.client().get(content).content == large.read_bytes()
    assert "Traceback" not in capfd.readouterr().err


def test_what_cannot_be_held_is_told_without_its_place(s3, small, tmp_path, capfd):
    """Where this machine cannot lock what it receives, callers hear that, and the log says where."""
    with serving(tmp_path / "data", **S3Store(s3, tmp_path).options, ISOBAY_TASKS_AT_ONCE="0") as service:
        held = tmp_path / "data" / "held"
        if held.exists():
            held.rmdir()
        held.write_bytes(b"")  # where a directory belongs
        answer = service.client().put(f"{SEED}/uploads/x.iso", content=small.read_bytes())
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (507, 5001)
        assert str(tmp_path) not in answer.text
    assert str(held) in capfd.readouterr().err


def test_the_log_has_no_signed_url(s3, small, tmp_path, capfd):
    """Whoever reads it learns nothing that gives bytes."""
    with serving(tmp_path / "data", **S3Store(s3, tmp_path).options, ISOBAY_LOG_LEVEL="debug") as service:
        _, link = _extractable(service, small)
        signature = httpx.get(link).headers["location"].rpartition("=")[2]
    said = capfd.readouterr().err
    assert "downloads" in said
    assert signature not in said
    assert "X-Amz" not in said
