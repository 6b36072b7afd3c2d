"""A service with an image on its shelf that may be downloaded, and its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from shelved import Shelved, shelve

from images import image
from service import Service, serving


@pytest.fixture(scope="session")
def image_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image of about 5 MiB, of which no two pieces are alike."""
    files = {"readme.txt": "hello\n", "data.bin": Random(7).randbytes(5 << 20), "empty": b""}
    return image(tmp_path_factory.mktemp("images") / "medium.iso", files, label="MEDIUM")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service."""
    with serving(tmp_path_factory.mktemp("downloads"), ISOBAY_TASKS_AT_ONCE="0") as running:
        yield running


@pytest.fixture(scope="session")
def shelved(service: Service, image_file: Path) -> Shelved:
    """Put the image on the shelf; no test may change it."""
    return shelve(service, image_file, "medium")


@pytest.fixture
def own(service: Service, image_file: Path) -> Iterator[Shelved]:
    """Put another one there, to be changed and deleted."""
    found = shelve(service, image_file, "own")
    yield found
    service.client().delete(found.path)
