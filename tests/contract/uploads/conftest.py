"""A service to send to, and images to send."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from sender import MAX_ISO_BYTES, Sender

from images import debian_like, image
from service import Service, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that does not wait long."""
    options = {"ISOBAY_MAX_ISO_BYTES": str(MAX_ISO_BYTES), "ISOBAY_UPLOAD_STALL_SECONDS": "2"}
    with serving(tmp_path_factory.mktemp("uploads"), **options) as running:
        yield running


@pytest.fixture
def sender(service: Service) -> Iterator[Sender]:
    """Send to that service. Whatever a test leaves can be deleted, and then nothing lies on the disk."""
    sending = Sender(service)
    yield sending
    for iso in service.get("/v1/services/compute-on/test_area/isos"):
        answer = service.client().delete(f"/v1/services/compute-on/test_area/isos/{iso['id']}")
        assert answer.status_code == 200, answer.text
    assert [path for path in service.behind.settings.objects_dir.rglob("*") if path.is_file()] == []


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give an image of about 6 MiB, a Debian."""
    head = debian_like(tmp_path_factory.mktemp("images") / "debian.iso").read_bytes()
    return head + Random(1).randbytes(4 << 20)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give an image of about 24 MiB."""
    path = tmp_path_factory.mktemp("images") / "large.iso"
    return image(path, {"payload.bin": Random(2).randbytes(24 << 20)}, label="LARGE").read_bytes()


@pytest.fixture(scope="session")
def small_file(small: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the small image as a file."""
    path = tmp_path_factory.mktemp("files") / "debian.iso"
    path.write_bytes(small)
    return path
