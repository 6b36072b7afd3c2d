"""A store in S3 behind a door, and services that keep their images there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from door import Door

from images import image
from service import Service, serving

sys.path.append(str(Path(__file__).parents[1] / "objects"))  # its stores and pieces

if TYPE_CHECKING:
    from stores import S3Store

    from s3_server import S3Server


@pytest.fixture
def door(s3: S3Server) -> Iterator[Door]:
    """A door before the server."""
    with Door(s3.endpoint).standing() as standing:
        yield standing


@pytest.fixture
def store(s3: S3Server, door: Door, tmp_path: Path) -> S3Store:
    """A store behind the door."""
    from stores import S3Store

    return S3Store(s3, tmp_path, ISOBAY_S3_ENDPOINT=door.endpoint, ISOBAY_MAX_ISO_BYTES=str(1 << 30))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image of some pieces."""
    path = tmp_path_factory.mktemp("images") / "large.iso"
    return image(path, {"payload.bin": Random(3).randbytes(36 << 20)}, label="LARGE")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image of less than one piece."""
    path = tmp_path_factory.mktemp("images") / "small.iso"
    return image(path, {"payload.bin": Random(4).randbytes(1 << 20)}, label="SMALL")


@pytest.fixture(scope="module")
def options(s3: S3Server) -> dict[str, str]:
    """What a service is started with that keeps its images below a prefix of its own."""
    allowed = {"ISOBAY_ALLOWED_NETWORKS": "127.0.0.0/8", "ISOBAY_FETCH_RETRY_SECONDS": "0"}
    return {**s3.options(), **allowed, "ISOBAY_MAX_ISO_BYTES": str(1 << 30)}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, options: dict[str, str]) -> Iterator[Service]:
    """Run a service on it."""
    with serving(tmp_path_factory.mktemp("s3-service"), **options) as running:
        yield running
