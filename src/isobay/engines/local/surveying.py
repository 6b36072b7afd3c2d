"""The whole store, compared with the whole catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from isobay.catalog import Catalog
from isobay.catalog.isos import Kept
from isobay.engines.local.checking import Checker, Kind
from isobay.engines.local.left_disks import LeftDisks
from isobay.engines.local.mending import Mender
from isobay.objects import Progress

AT_ONCE = 500


class FoundIso(Struct, rename="camel", frozen=True):
    """An ISO that something was found of."""

    id: str
    name: str
    environment_id: str


class Finding(Struct, rename="camel", frozen=True):
    """Something that is not as it should be: ``size`` in bytes, ``found`` in words, and what was done about it.

    ``orphan``: bytes that nobody needs. ``returned``: an ISO failed for its bytes, and they are there again.
    ``disk``: the disk of a guest that is gone, whose id ``object_id`` is then.
    """

    kind: Kind | Literal["orphan", "returned", "disk"]
    object_id: str
    size: int
    found: str
    isos: list[FoundIso]
    repaired: str = ""


class Survey:
    """One pass over everything, while others go on. What it finds is mended where ``repairs``.

    ``hashes``: each object is read, and progress is told in the bytes of all; else only its size is looked at.
    """

    def __init__(
        self,
        catalog: Catalog,
        checker: Checker,
        mender: Mender,
        left_disks: LeftDisks,
        *,
        hashes: bool,
        repairs: bool,
    ) -> None:
        self._catalog = catalog
        self._checker = checker
        self._mender = mender
        self._left_disks = left_disks
        self._hashes = hashes
        self._repairs = repairs

    def run(self, progress: Progress) -> Iterator[Finding]:
        """Look at all, and yield what is found. Raises StorageError where the store does not tell."""
        # First who may come back: they are the sound ones that others are then given.
        yield from self._returned()
        yield from self._faults(progress)
        yield from self._orphans()
        for disk in self._left_disks.find():
            found = "the disk of a guest that is gone, and of no instance"
            done = "Deleted." if self._repairs and disk.delete() else ""
            yield Finding("disk", disk.guest_id, disk.size, found, [], done)

    def _returned(self) -> Iterator[Finding]:
        with self._catalog.reading() as tx:
            lost = self._catalog.checks.lost(tx)
        for iso_id in lost:
            with self._catalog.reading() as tx:
                kept = self._catalog.isos.by_id(tx, iso_id)
            if kept is None or kept.iso.status != "failed":
                continue
            sound = self._mender.sound_again(kept, _unwatched)
            if sound:
                done = self._mender.revive(kept, sound) if self._repairs else ""
                found = "an ISO failed for its bytes, and they are there again"
                yield Finding("returned", sound, kept.iso.size, found, _told([kept]), done)

    def _faults(self, progress: Progress) -> Iterator[Finding]:
        with self._catalog.reading() as tx:
            total = self._catalog.checks.total(tx)
        read, last = 0, ""

        def passed(size: int) -> None:
            nonlocal read
            read += size
            progress(min(read, total), total)

        while object_ids := self._objects(last):
            last = object_ids[-1]
            for object_id in object_ids:
                fault = self._checker.fault(object_id, passed if self._hashes else None)
                if fault:
                    done = self._mender.mend(fault, _unwatched) if self._repairs else ""
                    size = fault.isos[0].iso.size
                    yield Finding(fault.kind, object_id, size, fault.found, _told(fault.isos), done)

    def _orphans(self) -> Iterator[Finding]:
        orphans = list(self._checker.orphans())
        gone = self._mender.sweep({each.object_id for each in orphans}) if self._repairs and orphans else set()
        for each in orphans:
            found = "no ISO has these bytes" if each.whole else "what came of an image that nobody is receiving"
            done = "Deleted." if each.object_id in gone else ""
            yield Finding("orphan", each.object_id, each.size, found, [], done)

    def _objects(self, after: str) -> list[str]:
        with self._catalog.reading() as tx:
            return self._catalog.checks.objects(tx, after, AT_ONCE)


def _told(isos: list[Kept]) -> list[FoundIso]:
    return [FoundIso(kept.iso.id, kept.iso.name, kept.environment_id) for kept in isos]


def _unwatched(_size: int) -> None:
    """Progress that nobody follows."""
