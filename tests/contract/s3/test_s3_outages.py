"""A service whose S3 goes away, and comes back."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import httpx
import pytest
from stores import S3Store

from service import KEY, SEED, Service, environment, serving
from sources import nginx

MIB = 1 << 20
PATIENCE_SECONDS = 60


@pytest.fixture
def options(store: S3Store) -> dict[str, str]:
    """What a service behind the door is started with."""
    return {**store.options, "ISOBAY_ALLOWED_NETWORKS": "127.0.0.0/8", "ISOBAY_FETCH_RETRY_SECONDS": "0"}


@pytest.fixture
def service(tmp_path: Path, options: dict[str, str]) -> Iterator[Service]:
    """Run one."""
    with serving(tmp_path / "data", **options) as running:
        yield running


def _until(look: Callable[[], Any]) -> Any:
    deadline = monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert monotonic() < deadline
        Event().wait(0.05)
    return found


def _places(door, store) -> tuple[str, ...]:
    return "s3://", store.prefix, door.endpoint


def test_an_import_goes_on_after_an_outage(service, door, store, large):
    """It fails with what S3 did, keeps what came, and another try fetches the rest."""
    with nginx(large.parent, bytes_per_second=6 * MIB) as source:
        body = {"name": "interrupted", "description": "", "url": source.url(f"/{large.name}")}
        path = f"{SEED}/isos/{service.client().post(f'{SEED}/isos', json=body).json()['data']['id']}"
        _until(lambda: any(each.size > 10 * MIB for each in service.behind.objects.stored()))
        door.is_shut = True
        failed = _until(lambda: (iso := service.get(path))["status"] == "failed" and iso)
        assert "does not answer" in failed["statusMessage"]
        assert not any(secret in str(failed) for secret in _places(door, store))
        door.is_shut = False
        (certain,) = (each.size for each in service.behind.objects.stored())
        assert service.client().post(path, params={"operation": "retry"}).status_code == 200
        iso = _until(lambda: (iso := service.get(path))["ready"] and iso)
        assert iso["checksums"]["sha256"] == hashlib.sha256(large.read_bytes()).hexdigest()
        assert source.fetches()[-1].range == f"bytes={certain}-"


def test_a_slow_import_sends_few_bytes_twice(service, door, large):
    """A piece that is not full yet is not sent again each second."""
    with nginx(large.parent, bytes_per_second=6 * MIB) as source:
        body = {"name": "slow", "description": "", "url": source.url(f"/{large.name}")}
        path = f"{SEED}/isos/{service.client().post(f'{SEED}/isos', json=body).json()['data']['id']}"
        _until(lambda: service.get(path)["ready"])
    names = [each.path.partition("?")[0].rpartition("/")[2] for each in door.passed if each.method == "PUT"]
    spans = [tuple(map(int, name.split("-"))) for name in names if re.fullmatch(r"\d{15}-\d{15}", name)]
    assert sum(end - start == 8 * MIB for start, end in spans) == large.stat().st_size // (8 * MIB)
    assert sum(end - start < 8 * MIB for start, end in spans) <= 3


def test_what_needs_s3_is_answered_503_and_all_else_goes_on(service, door, store, small):
    """Bytes cannot be had for a while; lists, links and deleting can. Where S3 is, callers are not told."""
    iso = service.add(small)
    path = f"{SEED}/isos/{iso['id']}"
    door.is_shut = True
    refused = service.client().get(f"{path}/content")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (503, 5002)
    assert refused.json()["errors"][0]["message"].startswith("The store of images does not answer")
    assert not any(secret in refused.text for secret in _places(door, store))
    assert [each["id"] for each in service.get(f"{SEED}/isos")] == [iso["id"]]
    assert service.client().delete(path).status_code == 200
    assert service.get(f"{SEED}/isos") == []
    door.is_shut = False
    assert {kind for _, kind in store.left()} == {"whole"}
    assert service.behind.sweep() == 1


def test_the_store_is_checked(service, options, small, store):
    """`isobay store check` finds in S3 what is missing and what is changed there."""
    data_dir = str(service.behind.settings.data_dir)

    def check() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "isobay", "store", "check", "--hash", "--data-dir", data_dir]
        return subprocess.run(command, env=environment(**options), capture_output=True, text=True, timeout=60)

    service.add(small)
    done = check()
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "Nothing is wrong.")
    (key,) = store.listed()
    content = bytearray(small.read_bytes())
    content[-1] ^= 1
    store.s3.put_object(Bucket=store.bucket, Key=f"{store.prefix}/{key}", Body=bytes(content))
    assert "sha256" in check().stdout
    store.s3.delete_object(Bucket=store.bucket, Key=f"{store.prefix}/{key}")
    assert "missing" in check().stdout


def test_nothing_is_asked_of_s3_for_uploads_that_nobody_goes_on_with(tmp_path, options, door, small):
    """However often a worker looks; and what somebody sends of them is still theirs to go on with."""
    data, size = small.read_bytes(), small.stat().st_size
    begin = {"Tus-Resumable": "1.0.0", "Upload-Length": str(size), "Upload-Metadata": "name eA=="}
    given = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    with serving(tmp_path / "data", **options, ISOBAY_TASKS_AT_ONCE="0") as service:
        begun, idle = (service.client().post(f"{SEED}/uploads", headers=begin).headers["location"] for _ in range(2))
        assert service.client().patch(begun, headers=given, content=data[:-1]).status_code == 204
        before = len(door.passed)
        for _ in range(3):
            service.behind.tending.tend()
        assert len(door.passed) == before
        given["Upload-Offset"] = str(size - 1)
        assert service.client().patch(begun, headers=given, content=data[-1:]).status_code == 204
        assert [service.get(each.replace("/uploads/", "/isos/"))["ready"] for each in (begun, idle)] == [True, False]


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_download_of_a_deleted_image_is_cut_and_never_looks_whole(tmp_path, options, door, large, is_deleted):
    """S3 does not hold bytes for who reads them: the body is shorter than was said, and the connection ends.

    Where S3 breaks off and the image is still there, nobody who downloads it sees that.
    """
    came = bytearray()
    with serving(tmp_path / "data", **options, ISOBAY_TASKS_AT_ONCE="0") as service:
        path = f"{SEED}/isos/{service.add(large)['id']}"
        door.most = 8 * MIB
        with service.client().stream("GET", f"{path}/content") as answer:
            assert int(answer.headers["content-length"]) == large.stat().st_size
            rest = answer.iter_raw(MIB)
            came += next(rest)
            if is_deleted:
                assert httpx.delete(f"{service.address}{path}", headers={"MC-Api-Key": KEY}).status_code == 200
            with pytest.raises(httpx.RemoteProtocolError) if is_deleted else nullcontext():
                for piece in rest:
                    came += piece
        assert service.client().get(f"{path}/content").status_code == (404 if is_deleted else 200)
    assert large.read_bytes().startswith(came)
    assert (len(came) == large.stat().st_size) != is_deleted
