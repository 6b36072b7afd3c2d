"""A service with images on its shelf."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile_source import HostileSource, Page, hostile
from images import image
from service import Service, serving
from sources import Nginx, nginx


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service for the tests of a module."""
    with serving(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="session")
def small_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image with a few files."""
    files = {"readme.txt": "hello\n", "docs/a b&c.html": "<script>", "docs/deep/er.bin": bytes(range(256)) * 5000}
    return image(tmp_path_factory.mktemp("images") / "small.iso", files, label="SMALL")


@pytest.fixture(scope="module")
def importing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that may fetch from this machine, and gives up at once."""
    options = {"ISOBAY_ALLOWED_NETWORKS": "127.0.0.0/8", "ISOBAY_FETCH_RETRIES": "0"}
    with serving(tmp_path_factory.mktemp("data"), **options) as running:
        yield running


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service whose tasks nobody works on: they stay as they are."""
    with serving(tmp_path_factory.mktemp("data"), ISOBAY_TASKS_AT_ONCE="0") as running:
        yield running


@pytest.fixture
def source(tmp_path: Path, small_image: Path) -> Iterator[Nginx]:
    """Run nginx over ``tmp_path / "www"``, in which is ``small.iso``."""
    www = tmp_path / "www"
    www.mkdir()
    (www / "small.iso").write_bytes(small_image.read_bytes())
    with nginx(www) as running:
        yield running


@pytest.fixture
def stalling(small_image: Path) -> Iterator[HostileSource]:
    """Run a server whose ``/stalls.iso`` stops in the middle."""
    data = small_image.read_bytes()
    with hostile() as running:
        running.pages["/stalls.iso"] = Page(data, stall_after=len(data) // 2)
        yield running
