"""A disk that is too small for an import: said at once where that can be known, and nothing else suffers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from series import LOCAL, MIB

from hostile_source import Page, hostile
from images import image
from processes import until
from service import SEED, Service, serving
from sources import nginx

DISK_BYTES = 160 * MIB  # 64 of them are the catalogue's
TOO_LARGE = 140 * MIB
FULL = 5001


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service on a small disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        # Not leave_out: CI can install what is missing, and not give itself the right to mount.
        pytest.skip(f"A small file system cannot be mounted here, run the tests as root: {done.stderr.strip()}")
    try:
        with serving(disk / "data", **LOCAL) as running:
            yield running
    finally:
        subprocess.run(["umount", str(disk)], check=True, capture_output=True)


def bring(service: Service, url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Import a URL; the task when it has ended, and the ISO."""
    body = {"name": "image", "description": "", "url": url}
    answer = service.client().post(f"{SEED}/isos", json=body)
    assert answer.status_code == 200, answer.text
    started = answer.json()

    def task() -> dict[str, Any]:
        return service.client().get(f"/v1/tasks/{started['taskId']}").json()

    assert until(lambda: task()["taskStatus"] != "PENDING")
    return task(), service.get(f"{SEED}/isos/{started['data']['id']}")


def files(service: Service) -> list[Path]:
    """What lies below objects/."""
    return [path for path in service.behind.settings.objects_dir.rglob("*") if path.is_file()]


def test_an_import_that_cannot_fit_is_refused_at_once(tmp_path: Path, service: Service):
    """By its Content-Length: nothing of it is kept, the list answers, and a small import succeeds."""
    root = tmp_path / "root"
    root.mkdir()
    large = image(root / "large.iso", {"a.txt": "a"})
    os.truncate(large, TOO_LARGE)
    image(root / "small.iso", {"b.txt": "b"})
    with nginx(root) as source:
        task, iso = bring(service, source.url("/large.iso"))
        assert (task["taskStatus"], iso["status"], iso["ready"]) == ("FAILED", "failed", False)
        assert task["errors"][0]["code"] == FULL
        assert f"no room for {TOO_LARGE} bytes more" in iso["statusMessage"]
        assert str(service.behind.settings.data_dir) not in iso["statusMessage"]
        assert source.fetches()[0].sent < TOO_LARGE // 2
        assert files(service) == []

        task, iso = bring(service, source.url("/small.iso"))
        assert (task["taskStatus"], iso["status"]) == ("SUCCESS", "ready")
        assert [found["status"] for found in service.get(f"{SEED}/isos")] == ["failed", "ready"]
        assert len(files(service)) == 1


def test_an_import_of_unknown_length_fills_no_disk(tmp_path: Path, service: Service):
    """It ends with a sentence while there is room for the catalogue; then a small import succeeds."""
    small = image(tmp_path / "small.iso", {"a.txt": "a"}).read_bytes()
    with hostile() as source:
        source.pages = {"/large.iso": Page(small.ljust(TOO_LARGE, b"\0"), chunked=True), "/small.iso": Page(small)}
        task, iso = bring(service, source.url("/large.iso"))
        assert (task["taskStatus"], iso["status"]) == ("FAILED", "failed")
        assert task["errors"][0]["code"] == FULL
        assert "is full" in iso["statusMessage"]
        assert task["bytesTotal"] == 0
        assert files(service) == []

        task, iso = bring(service, source.url("/small.iso"))
        assert (task["taskStatus"], iso["status"]) == ("SUCCESS", "ready")
        assert [found["status"] for found in service.get(f"{SEED}/isos")] == ["failed", "ready"]
