"""The stores under test."""

from __future__ import annotations

from pathlib import Path

import pytest

from isobay.objects import DiskObjects, Objects


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the store keeps its objects."""
    return tmp_path / "objects"


@pytest.fixture
def objects(root: Path) -> Objects:
    """The store."""
    return DiskObjects(root)
