"""What imports that are interrupted come from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from series import BYTES_PER_SECOND, CHANCE, IMAGE_BYTES, Series

from images import image
from sources import nginx


@pytest.fixture(scope="session")
def large_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that takes some seconds to come."""
    content = random.Random(CHANCE).randbytes(IMAGE_BYTES)
    return image(tmp_path_factory.mktemp("images") / "large.iso", {"payload.bin": content}, label="LARGE")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What nginx serves."""
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def series(root: Path, large_image: Path) -> Iterator[Series]:
    """Imports of the image."""
    with nginx(root, bytes_per_second=BYTES_PER_SECOND) as source:
        yield Series(source, root, large_image, large_image)
