"""Information control blocks: what a file is and where its bytes lie (ECMA-167 4/14.6–4/14.14)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from isobay.image.entry import Extent
from isobay.image.source import damaged
from isobay.image.udf.descriptors import check_tag, timestamp
from isobay.image.udf.maps import Partitions

__all__ = ["FILE_ENTRY_TAGS", "Icb", "read_icb"]

FILE_ENTRY_TAGS = (261, 266)
ALLOCATION_EXTENT_TAG = 258
MOST_EXTENTS = 8192
"""Allocation descriptors of one file: a short one covers up to 1 GiB, only rewritten media have many."""

MOST_CONTINUATIONS = 256
"""Allocation extent descriptors of one file: each block of them has 100 or more descriptors."""

# where the fields of a file entry and of an extended file entry differ: modification time, lengths, their end
_LAYOUTS = {261: (84, 168, 176), 266: (92, 208, 216)}
_ICB_COST = 15


@dataclass(frozen=True, slots=True)
class Icb:
    """A file entry. ``file_type`` is that of ECMA-167 4/14.6.6, ``extents`` have ``size`` bytes."""

    file_type: int
    size: int
    modified: datetime | None
    mode: int
    extents: tuple[Extent, ...]


def read_icb(partitions: Partitions, reference: int, block: int) -> Icb:
    """Read the file entry at ``block`` of a partition. ImageError when there is none or it is damaged."""
    partitions.source.spend(_ICB_COST)
    place = tuple(partitions.locate(reference, block, partitions.block_size))
    data = partitions.read(reference, block, partitions.block_size)
    tag = check_tag(data, *FILE_ENTRY_TAGS)
    strategy, file_type, flags = struct.unpack_from("<H5xB6xH", data, 20)
    if strategy != 4:
        raise damaged(
            f"The UDF volume uses ICB strategy {strategy}, which only write-once archives have; it is not supported.",
            "unsupported",
        )
    modified_at, lengths_at, header = _LAYOUTS[tag]
    attributes_size, descriptors_size = struct.unpack_from("<II", data, lengths_at)
    start = header + attributes_size
    if start + descriptors_size > len(data):
        raise damaged("The allocation descriptors of a UDF file entry reach over its block. The image is damaged.")
    size = int.from_bytes(data[56:64], "little")
    if flags & 7 == 3:
        if size > descriptors_size:
            raise damaged("A UDF file kept in its own entry is longer than the entry. The image is damaged.")
        extents: tuple[Extent, ...] = (Extent((place[0].offset or 0) + start, size),) if size else ()
    else:
        descriptors = data[start : start + descriptors_size]
        extents = tuple(_joined(_extents(partitions, reference, flags & 7, descriptors, size)))
    return Icb(file_type, size, timestamp(data[modified_at : modified_at + 12]), _mode(data, flags), extents)


def _mode(data: bytes, flags: int) -> int:
    # ECMA-167 4/14.9.5: five bits each for other, group and owner, of which POSIX has the lower three
    bits = int.from_bytes(data[44:48], "little")
    mode = (bits & 7) | (bits >> 5 & 7) << 3 | (bits >> 10 & 7) << 6
    return mode | (flags >> 6 & 1) << 11 | (flags >> 7 & 1) << 10 | (flags >> 8 & 1) << 9


def _extents(partitions: Partitions, reference: int, kind: int, descriptors: bytes, size: int) -> Iterator[Extent]:
    """Yield the extents of ``size`` bytes; type 0, 1 and 2 of ECMA-167 4/14.14.1.1 are data and holes."""
    for count, descriptor in enumerate(_descriptors(partitions, reference, kind, descriptors)):
        extent_type, length, block, part = descriptor
        if count >= MOST_EXTENTS:
            raise damaged("A file of the UDF volume has more extents than any real one.", "too-complex")
        length = min(length, size)
        size -= length
        if extent_type == 0:
            yield from partitions.locate(part, block, length)
        else:
            yield Extent(None, length)
        if size <= 0:
            return


def _descriptors(
    partitions: Partitions, reference: int, kind: int, descriptors: bytes
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (type, length, block, partition reference) of short, long or extended allocation descriptors."""
    step = {0: 8, 1: 16, 2: 20}.get(kind)
    if step is None:
        raise damaged(f"A UDF file entry has allocation descriptors of the unknown kind {kind}.")
    for _ in range(MOST_CONTINUATIONS):
        following: tuple[int, int, int] | None = None
        for at in range(0, len(descriptors) - step + 1, step):
            partitions.source.spend(1)
            word = int.from_bytes(descriptors[at : at + 4], "little")
            length, extent_type = word & 0x3FFFFFFF, word >> 30
            if not length:
                return
            place = at + 12 if kind == 2 else at + 4
            block = int.from_bytes(descriptors[place : place + 4], "little")
            part = reference if kind == 0 else int.from_bytes(descriptors[place + 4 : place + 6], "little")
            if extent_type == 3:
                following = (part, block, length)
                break
            yield extent_type, length, block, part
        if following is None:
            return
        part, block, length = following
        data = partitions.read(part, block, min(length, partitions.block_size))
        check_tag(data, ALLOCATION_EXTENT_TAG)
        descriptors = data[24 : 24 + int.from_bytes(data[20:24], "little")]
    raise damaged("The allocation descriptors of a UDF file do not end. The image is damaged.", "loop")


def _joined(extents: Iterator[Extent]) -> Iterator[Extent]:
    """Join extents that follow each other."""
    last: Extent | None = None
    for extent in extents:
        if last is not None and last.offset is not None and extent.offset == last.offset + last.size:
            last = Extent(last.offset, last.size + extent.size)
            continue
        if last is not None:
            yield last
        last = extent
    if last is not None:
        yield last
