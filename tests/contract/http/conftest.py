"""A service with images on its shelf."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from images import image
from service import Service, serving


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
