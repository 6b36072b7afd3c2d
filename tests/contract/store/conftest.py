"""A shelf on each kind of database, and images to put on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from stocked import Stock

from images import image
from isobay.app import build
from isobay.settings import Settings


@pytest.fixture(scope="session")
def image_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image of about 3 MiB."""
    files = {"data.bin": Random(11).randbytes(3 << 20)}
    return image(tmp_path_factory.mktemp("images") / "medium.iso", files, label="MEDIUM")


@pytest.fixture(scope="session")
def other_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make another one."""
    return image(tmp_path_factory.mktemp("images") / "other.iso", {"other.txt": "other\n"}, label="OTHER")


@pytest.fixture
def stock(tmp_path: Path, database_url: str, image_file: Path) -> Iterator[Stock]:
    """Furnish a data directory."""
    built = build(Settings.load({"ISOBAY_DATABASE_URL": database_url}, data_dir=tmp_path / "data"))
    yield Stock(built, image_file)
    built.catalog.close()
