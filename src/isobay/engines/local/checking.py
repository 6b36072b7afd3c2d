"""Comparing what the catalogue says of an object with what lies in the store.

Others go on meanwhile: what is found wrong counts only where the ISOs are the same after it as before. Each change of
an ISO moves its ``updated``, and while one is ready with an object nobody touches the bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from isobay.catalog import Catalog, Transaction
from isobay.catalog.isos import Kept
from isobay.errors import ConflictError, MissingObjectError
from isobay.model import Iso
from isobay.objects import Objects, Stored, StoredObject

PIECE = 1 << 20
Kind = Literal["missing", "size", "sha256", "unreadable"]
Passed = Callable[[int], object]
"""Told how many bytes were read; may wait, and may end the reading by raising."""


class Fault(Struct, frozen=True):
    """What is wrong with the object of some ISOs that are ready, and ``found``, the same in words."""

    kind: Kind
    object_id: str
    found: str
    isos: list[Kept]


class Checker(Struct, frozen=True):
    """Looks, and changes nothing."""

    catalog: Catalog
    objects: Objects

    def orphans(self) -> Iterator[Stored]:
        """What lies in the store though no ISO names it and nobody is receiving it."""
        for stored in self.objects.stored():
            if not self.is_needed(stored.object_id) and self._is_let_go(stored.object_id):
                yield stored

    def is_needed(self, object_id: str) -> bool:
        """Whether an ISO names it."""
        with self.catalog.reading() as tx:
            return self.catalog.isos.needs(tx, object_id)

    def fault(self, object_id: str, passed: Passed | None) -> Fault | None:
        """What is wrong with an object that ISOs are ready with; its bytes are read where ``passed`` is given.

        Raises StorageError where the store does not tell.
        """
        isos = self._ready_now(object_id)
        while isos:
            fault = self._compare(object_id, isos, passed)
            before, isos = isos, self._ready_now(object_id)
            if fault is None or isos == before:
                return fault
        return None

    def ready(self, tx: Transaction, object_id: str) -> list[Kept]:
        """The ISOs that are ready with an object."""
        found = (self.catalog.isos.by_id(tx, each) for each in self.catalog.checks.isos_of(tx, object_id))
        return [kept for kept in found if kept]

    def sound(self, iso: Iso, object_ids: Sequence[str], passed: Passed) -> str:
        """The first of some objects that has the bytes of an ISO, every one; empty where none has."""
        return next((each for each in object_ids if not self._difference(each, iso, passed)), "")

    def _ready_now(self, object_id: str) -> list[Kept]:
        with self.catalog.reading() as tx:
            return self.ready(tx, object_id)

    def _compare(self, object_id: str, isos: list[Kept], passed: Passed | None) -> Fault | None:
        difference = self._difference(object_id, isos[0].iso, passed)
        return Fault(difference[0], object_id, difference[1], isos) if difference else None

    def _difference(self, object_id: str, iso: Iso, passed: Passed | None) -> tuple[Kind, str] | None:
        try:
            with closing(self.objects.open(object_id)) as stored:
                if stored.size != iso.size:
                    return "size", f"there are {stored.size} instead of {iso.size}"
                digest = _digest(stored, passed) if passed else iso.checksums["sha256"]
        except MissingObjectError:
            return "missing", "they are missing"
        except OSError as error:
            return "unreadable", f"the disk does not give them back ({os.strerror(error.errno or 0)})"
        if digest != iso.checksums["sha256"]:
            return "sha256", f"their sha256 is {digest} instead of {iso.checksums['sha256']}"
        return None

    def _is_let_go(self, object_id: str) -> bool:
        def look() -> None:
            # Asked when nobody else has it: while it was held, its ISO may have come into the catalogue.
            raise _LookedError(self.is_needed(object_id))

        try:
            with self.objects.resume(object_id, look):
                return False
        except _LookedError as looked:
            return not looked.is_needed
        except ConflictError:
            return False


class _LookedError(Exception):
    """Nothing else was to be done than to look."""

    def __init__(self, is_needed: bool) -> None:
        super().__init__()
        self.is_needed = is_needed


def _digest(stored: StoredObject, passed: Passed) -> str:
    """The SHA-256 of what is on the disk: what the system has in memory may hide what became of it there."""
    digest, done = sha256(), 0
    _drop_from_memory(stored.file, 0, 0)
    while piece := stored.read_at(done, PIECE):
        digest.update(piece)
        _drop_from_memory(stored.file, done, len(piece))
        done += len(piece)
        passed(len(piece))
    return digest.hexdigest()


def _drop_from_memory(file: int, offset: int, size: int) -> None:
    if file >= 0:
        os.posix_fadvise(file, offset, size, os.POSIX_FADV_DONTNEED)
