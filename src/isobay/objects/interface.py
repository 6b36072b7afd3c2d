"""The seam: a store of objects, each the bytes of one image."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

Progress = Callable[[int, int], None]
"""Told now and then of (bytes done, bytes in all)."""


Examine = Callable[[Callable[[int, int], bytes], int], object]
"""Looks at what is to come, through (read_at, size)."""


class Received(Struct, frozen=True):
    """What came in: the object's id, its size in bytes and its SHA-256 in hex."""

    object_id: str
    size: int
    sha256: str


class StoredObject(Protocol):
    """An object open for reading."""

    @property
    def size(self) -> int:
        """Bytes."""

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end."""

    def close(self) -> None:
        """Let go of it."""


class Objects(Protocol):
    """Keeps objects by ids of its own making."""

    def receive_file(
        self, path: Path, limit: int, progress: Progress, examine: Examine
    ) -> AbstractContextManager[Received]:
        """Take a copy of a local file, whole and durable on entry.

        ``examine`` looks at the file before anything is copied, and refuses it by raising.
        Within the context nothing takes the object away, though no ISO names it yet; a caller that
        leaves it by an exception leaves no object. Raises SourceError for a file that cannot be read,
        is larger than ``limit`` bytes or changes meanwhile, StorageError where there is no room.
        """

    def open(self, object_id: str) -> StoredObject:
        """Open an object. Raises StorageError where it is missing."""

    def delete(self, object_id: str) -> None:
        """Delete an object, if it is there."""

    def sweep(self, is_needed: Callable[[str], bool]) -> int:
        """Delete what a process that died left behind: all that nobody holds and that is not needed. How many."""
