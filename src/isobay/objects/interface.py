"""The seam: a store of objects, each the bytes of one image.

Whatever is said here to raise StorageError raises UnavailableError where the store does not answer now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

MISSING = (
    "The store of images does not have the bytes of this ISO any more. Delete the ISO and add it again, or ask whoever "
    "runs isobay to bring them back."
)
"""What callers are told of a missing object, wherever it lay: the place is for the log."""

Progress = Callable[[int, int], None]
"""Told now and then of (bytes done, bytes in all)."""


Examine = Callable[[Callable[[int, int], bytes], int], object]
"""Looks at what is to come, through (read_at, size)."""


class Received(Struct, frozen=True):
    """What came in: the object's id, its size in bytes and its SHA-256 in hex."""

    object_id: str
    size: int
    sha256: str


class Stored(Struct, frozen=True):
    """What lies in a store under one id: an object that is ``whole``, or a part, and its bytes that are certain."""

    object_id: str
    size: int
    whole: bool


class StoredObject(Protocol):
    """An object open for reading."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def file(self) -> int:
        """The descriptor of a file that holds them and nothing else; -1 where there is none."""

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end."""

    def close(self) -> None:
        """Let go of it."""


class Part(Protocol):
    """An object that comes in piece by piece. One thread appends, others may read and sync meanwhile."""

    @property
    def sync_seconds(self) -> float:
        """How often to sync what comes in slowly, where nothing was promised: what that costs depends on the store."""

    @property
    def object_id(self) -> str:
        """The object's id."""

    @property
    def size(self) -> int:
        """Bytes that are there for certain when it is opened, and that go on growing: where to append."""

    def append(self, data: bytes | memoryview) -> None:
        """Write at the end. Raises StorageError where there is no room; what was there before stays."""

    def clone(self, source: int) -> bool:
        """Take all of an open file at once, without its bytes, where the store can; False where it cannot."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill the buffer with the bytes there; how many, fewer only at the end."""

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end."""

    def sync(self) -> None:
        """Make durable what was appended before the call. Raises StorageError where that fails, then and ever after."""

    def restart(self, size: int = 0) -> None:
        """Go back to ``size`` bytes, of those that are there, durably. For the thread that appends."""

    def publish(self) -> None:
        """Make it an object, whole and durable under its id; from then on it is only read or discarded.

        Within the context nothing takes it away, though no ISO names it yet. Raises ConflictError where
        the object was deleted meanwhile.
        """

    def discard(self) -> None:
        """Delete the bytes, published or not."""


class Objects(Protocol):
    """Keeps objects by ids of its own making."""

    @property
    def gives_links(self) -> bool:
        """Whether ``link`` gives URLs, which show who has them the id of the object."""

    def resume(self, object_id: str, check: Callable[[], object] = ...) -> AbstractContextManager[Part]:
        """Open a part to go on with it, or make it; the id is a uuid4 as text.

        One that was published becomes a part again: call this only while no ISO is ready with it. Where that
        may change at any time, ``check`` is called when nobody else can have the part open any more and
        nothing is touched yet: it refuses by raising.
        However the context is left the bytes stay, unless the part was discarded. Threads that use the
        part must have ended before. Raises ConflictError, at once, while somebody else has it open,
        and StorageError where it cannot be opened.
        """

    def received(self, object_id: str) -> int:
        """Bytes that came of a part, for certain, though somebody may have it open; 0 of one that is not there."""

    def room(self) -> int:
        """Bytes that may still be taken; -1 where there is no bound."""

    def check_room(self, size: int, promised: int = 0) -> None:
        """Raise StorageError where ``size`` more bytes leave too little for the catalogue.

        ``promised`` are bytes that others have yet to write.
        """

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
        """Open an object. Raises MissingObjectError where it is missing, StorageError where nobody can tell."""

    def link(self, object_id: str, disposition: str, seconds: int) -> str:
        """A URL by which anybody gets the object's bytes from the store itself, for so long; empty where there is none.

        ``disposition`` is the Content-Disposition that the store then answers with. Keep it as a secret.
        """

    def stored(self) -> Iterator[Stored]:
        """Every object and part, in no order, while others come and go. Raises StorageError."""

    def path(self, object_id: str) -> Path:
        """The file that holds an object and nothing else, for who must be told a path: a host that runs guests.

        Its stem is the object's id, by which it is known again, though the directory above it be reached otherwise.
        Raises StorageError where it is missing, UnavailableError where objects are not kept in files.
        """

    def delete(self, object_id: str) -> None:
        """Delete an object or a part, if it is there, whoever has it open. Raises StorageError where it cannot be."""

    def sweep(self, is_needed: Callable[[str], bool]) -> int:
        """Delete what a process that died left behind: all that nobody holds and that is not needed. How many."""
