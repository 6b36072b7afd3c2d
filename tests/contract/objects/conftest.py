"""The stores under test."""

from __future__ import annotations

from pathlib import Path

import pytest
from stores import DiskStore, S3Store, Store

from isobay.objects import Objects


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the store on the disk keeps its objects."""
    return tmp_path / "objects"


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> Store:
    """Each kind of store in turn, empty."""
    if request.param == "disk":
        return DiskStore(root)
    return S3Store(request.getfixturevalue("s3"), tmp_path)


@pytest.fixture
def objects(store: Store) -> Objects:
    """The store, opened."""
    return store.opened()
