"""A service that imports, images to bring, and a server that does its worst."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from desk import MAX_ISO_BYTES, Desk

from hostile_source import HostileSource, hostile
from images import debian_like, image
from service import Service, serving
from sources import CertificateAuthority

OPTIONS = {"ISOBAY_ALLOWED_NETWORKS": "127.0.0.0/8", "ISOBAY_FETCH_RETRY_SECONDS": "0", "ISOBAY_FETCH_RETRIES": "3"}


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """Make the authority that the services of these tests trust."""
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def options(authority: CertificateAuthority) -> dict[str, str]:
    """Say what a service of these tests is started with, where it needs nothing else."""
    return {**OPTIONS, "ISOBAY_CA_FILE": str(authority.file)}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, options: dict[str, str]) -> Iterator[Service]:
    """Run a service that is quick to give up."""
    limits = {"ISOBAY_FETCH_STALL_SECONDS": "1", "ISOBAY_MAX_ISO_BYTES": str(MAX_ISO_BYTES)}
    with serving(tmp_path_factory.mktemp("imports"), **options, **limits) as running:
        yield running


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    """Ask that service for imports. Whatever a test leaves can be deleted, and then nothing lies on the disk."""
    asking = Desk(service)
    yield asking
    asking.clear()


@pytest.fixture
def source() -> Iterator[HostileSource]:
    """Run a server whose pages the test makes."""
    with hostile() as running:
        yield running


@pytest.fixture(scope="session")
def head(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Make the beginning of all images: a small Debian, behind whose volume more may lie."""
    return debian_like(tmp_path_factory.mktemp("images") / "debian.iso").read_bytes()


@pytest.fixture(scope="session")
def small(head: bytes) -> bytes:
    """Give an image of about 6 MiB."""
    return head + Random(1).randbytes(4 << 20)


@pytest.fixture(scope="session")
def large(head: bytes) -> bytes:
    """Give an image of about 66 MiB."""
    return head + Random(2).randbytes(64 << 20)


@pytest.fixture(scope="session")
def other(head: bytes) -> bytes:
    """Give another image, which is as long as the large one and begins like it."""
    return head + Random(3).randbytes(64 << 20)


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give an image whose volume reaches to its end."""
    files = {"data.bin": Random(4).randbytes(8 << 20)}
    return image(tmp_path_factory.mktemp("images") / "full.iso", files, label="FULL").read_bytes()
