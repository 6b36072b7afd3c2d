"""Directory hierarchies of ISO 9660: plain, Joliet, enhanced and with Rock Ridge (ECMA-119 6.8, 9.1)."""

from __future__ import annotations

import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from isobay.image import rockridge
from isobay.image.descriptors import VolumeDescriptor, recording_date
from isobay.image.entry import Entry, Extent, child_path, readable_name, windows
from isobay.image.source import SECTOR, Source, damaged

__all__ = ["Iso9660Hierarchy"]

DIRECTORY_FLAG, ASSOCIATED_FLAG, MULTI_EXTENT_FLAG = 0x02, 0x04, 0x80
MOST_EXTENTS = 4096
"""Extents of one file: each can have 4 GiB, so this is 16 TiB."""

RECORD_COST = 6
"""Units of work (see source.WORK_LIMIT) one record costs."""

_VERSION = re.compile(r";\d*\Z")
_FIELDS = struct.Struct("<BBI4xI4x7sBBB4xB")


@dataclass(frozen=True, slots=True)
class _Record:
    """A directory record (ECMA-119 9.1): ``block`` is where the data begins, after extended attributes."""

    block: int
    size: int
    date: bytes
    flags: int
    interleaved: bool
    identifier: bytes
    system_use: bytes


class Iso9660Hierarchy:
    """The hierarchy that begins at a volume descriptor's root. ``name`` says how names are recorded in it."""

    __slots__ = ("_block_size", "_skip", "_source", "_volume", "name")

    def __init__(self, source: Source, volume: VolumeDescriptor, name: str) -> None:
        self.name = name
        self._source = source
        self._volume = volume
        self._block_size = volume.logical_block_size
        self._skip = 0
        if name == "rockridge":
            self._skip = self.rock_ridge_skip() or 0

    def rock_ridge_skip(self) -> int | None:
        """Return LEN_SKP when the root's own record carries Rock Ridge, else None (SUSP 5.3)."""
        extent = self.root().extents[0]
        offset = extent.offset or 0
        if extent.size < 34 or offset + SECTOR > self._source.size:
            return None
        window = self._source.read(offset, SECTOR)
        # the SP entry can only stand in the first record of the root; a root that is damaged fails when it is listed
        length, name_size = window[0], window[32]
        if length < 34 or 33 + name_size > length:
            return None
        system_use = window[33 + name_size + (1 - name_size % 2) : length]
        return rockridge.skipped_bytes(self._source, system_use, self._block_size)

    def root(self) -> Entry:
        """Return the root directory, as the volume descriptor gives it."""
        volume = self._volume
        offset = (volume.root_block + volume.root_extended_attributes) * self._block_size
        return Entry("", "/", "directory", volume.root_size, None, None, None, (Extent(offset, volume.root_size),))

    def children(self, directory: Entry) -> Iterator[Entry]:
        """Yield the entries of a directory, the extents of a file joined (ECMA-119 6.5.1)."""
        yield from self._entries(directory, self._record_stream(directory, 0), iter(()))

    def child(self, directory: Entry, name: str, ignore_case: bool) -> Entry | None:
        """Return the first entry called ``name``; only records that hold its bytes are decoded."""
        wanted = name.lower() if ignore_case else name
        needles = self._needles(wanted, ignore_case)
        for position, window in windows(self._source, directory):
            self._source.spend(len(window) >> 10)
            rest = self._record_stream(directory, position + len(window))
            # the directory's own record leads to a continuation area on most media, and holds no name
            own = window[0] if position == 0 else 0
            for sector in self._sectors_with(window, needles, ignore_case, own):
                for entry in self._entries(directory, self._records(window, sector), rest, sector + SECTOR):
                    if (entry.name.lower() if ignore_case else entry.name) == wanted:
                        return entry
        return None

    def _needles(self, wanted: str, ignore_case: bool) -> list[bytes]:
        """Return byte strings one of which stands in the sector of an entry called ``wanted``; empty: any sector."""
        if "\ufffd" in wanted or (ignore_case and not wanted.isascii()):
            return []
        if self.name == "joliet":
            return [wanted.encode("utf-16-be", "surrogatepass")]
        needles = [wanted.encode("utf-8", "surrogatepass")]
        if not wanted.isascii():
            needles.append(wanted.encode("latin-1", "replace"))
        return needles

    def _sectors_with(self, window: bytes, needles: list[bytes], ignore_case: bool, at: int) -> Iterator[int]:
        """Yield where sectors begin that may hold one of ``needles``, looking from position ``at``."""
        if not needles:
            yield from range(0, len(window), SECTOR)
            return
        text = window.lower() if ignore_case else window
        # a name in a continuation area is not in the record, so records with a CE entry are candidates too
        marks = [*((needle, text) for needle in needles), *([(b"CE\x1c\x01", window)] if self._rocky else [])]
        while True:
            hits = [hit for needle, where in marks if (hit := where.find(needle, at)) >= 0]
            if not hits:
                return
            sector = min(hits) // SECTOR * SECTOR
            yield sector
            at = sector + SECTOR

    @property
    def _rocky(self) -> bool:
        return self.name == "rockridge"

    def _records(self, window: bytes, start: int) -> Iterator[tuple[int, _Record]]:
        """Yield (position, record) from ``start``. Records do not cross sectors (ECMA-119 6.8.1.1)."""
        at = start
        while at < len(window):
            length = window[at]
            if length == 0:
                at = (at // SECTOR + 1) * SECTOR
                continue
            sector_end = min(len(window), (at // SECTOR + 1) * SECTOR)
            if length < 34 or at + length > sector_end:
                raise damaged(f"A directory record of the image has a length of {length} bytes, which cannot be.")
            self._source.spend(RECORD_COST)
            _, attributes, block, size, date, flags, unit, gap, name_size = _FIELDS.unpack_from(window, at)
            name_end = at + 33 + name_size
            if name_end > at + length:
                raise damaged("A directory record of the image has a name longer than the record.")
            use_start = name_end + (1 - name_size % 2)
            yield (
                at,
                _Record(
                    block + attributes,
                    size,
                    date,
                    flags,
                    bool(unit or gap),
                    window[at + 33 : name_end],
                    window[use_start : at + length],
                ),
            )
            at += length

    def _record_stream(self, directory: Entry, start: int) -> Iterator[tuple[int, _Record]]:
        for _, window in windows(self._source, directory, start):
            yield from self._records(window, 0)

    def _entries(
        self,
        directory: Entry,
        records: Iterator[tuple[int, _Record]],
        rest: Iterator[tuple[int, _Record]],
        end: int | None = None,
    ) -> Iterator[Entry]:
        """Join the records of a file to one entry, with records of ``rest`` where ``records`` stop in a file.

        Stops before an entry that begins at position ``end`` or after it.
        """
        pending: list[_Record] = []
        for at, record in records:
            if not pending and end is not None and at >= end:
                return
            if record.identifier in (b"\0", b"\1") or record.flags & ASSOCIATED_FLAG:
                continue
            pending.append(record)
            if len(pending) > MOST_EXTENTS:
                raise damaged("A file of the image has more extents than any real one.", "too-complex")
            if not record.flags & MULTI_EXTENT_FLAG:
                yield from self._entry(directory, pending)
                pending = []
        if pending:
            for _, record in rest:
                pending.append(record)
                if not record.flags & MULTI_EXTENT_FLAG or len(pending) > MOST_EXTENTS:
                    break
            yield from self._entry(directory, pending)

    def _entry(self, directory: Entry, records: list[_Record]) -> Iterator[Entry]:
        first = records[0]
        entry = Entry(
            name=(name := self._plain_name(first.identifier)),
            path=child_path(directory, name),
            kind="directory" if (is_directory := bool(first.flags & DIRECTORY_FLAG)) else "file",
            size=sum(record.size for record in records),
            target=None,
            modified=recording_date(first.date),
            mode=None,
            extents=tuple(
                Extent(record.block * self._block_size, record.size)
                for record in records
                if record.size or is_directory
            ),
            problem="it is recorded in interleaved mode" if any(record.interleaved for record in records) else "",
        )
        if not self._rocky:
            yield entry
            return
        found = rockridge.attributes(self._source, first.system_use[self._skip :], self._block_size)
        if not found.relocated:
            yield self._with_attributes(directory, entry, found)

    def _with_attributes(self, directory: Entry, entry: Entry, found: rockridge.RockRidge) -> Entry:
        name = readable_name(found.name) if found.name else entry.name
        kind = entry.kind
        if found.child is not None:
            kind = "directory"
            entry = self._relocated(entry, found.child)
        elif found.target is not None:
            kind = "symlink"
        elif found.mode is not None and kind == "file" and not stat.S_ISREG(found.mode) and stat.S_IFMT(found.mode):
            kind = "other"
        return replace(
            entry,
            name=name,
            path=child_path(directory, name),
            kind=kind,
            target=found.target if kind == "symlink" else None,
            modified=found.modified or entry.modified,
            mode=found.mode,
        )

    def _relocated(self, entry: Entry, block: int) -> Entry:
        """Give the entry the directory a CL entry points at: its own "." record has its size (RRIP 4.1.5.1)."""
        offset = block * self._block_size
        self_record = next(self._records(self._source.read(offset, SECTOR), 0), None)
        if self_record is None or self_record[1].identifier != b"\0":
            raise damaged("A relocated directory of the image does not begin with its own record. It is damaged.")
        size = self_record[1].size
        return replace(entry, size=size, extents=(Extent(offset, size),))

    def _plain_name(self, identifier: bytes) -> str:
        joliet = self.name == "joliet"
        text = identifier.decode("utf-16-be", "replace") if joliet else rockridge.posix_text(identifier)
        if self.name != "enhanced":
            text = _VERSION.sub("", text)
        if self.name in ("iso9660", "rockridge"):
            text = text.removesuffix(".")
        return readable_name(text)
