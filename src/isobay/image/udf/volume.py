"""From the anchor to the root directory of a UDF volume (ECMA-167 3/8.4, 3/10, 4/14.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from isobay.errors import ImageError
from isobay.image.entry import read_extents
from isobay.image.source import SECTOR, Source, damaged
from isobay.image.udf.allocation import FILE_ENTRY_TAGS, Icb, read_icb
from isobay.image.udf.descriptors import check_tag, dstring, timestamp
from isobay.image.udf.maps import MetadataMap, Partitions, PhysicalMap, SparableMap, VirtualMap

__all__ = ["UdfVolume", "read_volume"]

BLOCK_SIZES = (2048, 512, 4096, 1024)
MOST_DESCRIPTORS = 128
"""Descriptors of a volume descriptor sequence read: real ones have six to ten in 16 blocks."""

MOST_MAPS = 16
MOST_SPARED = 4096
VAT_SEARCHED = 32
"""Blocks before the end in which the VAT's entry is looked for: writers leave run-out blocks after it."""

_UNFILLED = (0, 2)
"""Access types pseudo-overwritable and write once (ECMA-167 3/10.5.7): the partition is as long as the medium."""

_PREVAILING = {1: "primary", 6: "logical"}


@dataclass(frozen=True, slots=True)
class UdfVolume:
    """A UDF logical volume. ``revision`` is "2.50" and the like, ``size`` the bytes up to the end of its last
    partition, those of write-once media apart, which are as long as the medium and not as what is on it.
    """

    volume_id: str
    logical_volume_id: str
    volume_set_id: str
    file_set_id: str
    application_id: str
    revision: str
    recorded: datetime | None
    block_size: int
    size: int
    partitions: Partitions
    root: tuple[int, int]


def read_volume(source: Source) -> UdfVolume:
    """Find and read the UDF volume. ImageError when no anchor leads to one that is whole enough to list."""
    problem: ImageError | None = None
    for block_size, main, reserve in _anchors(source):
        for extent in (main, reserve):
            try:
                return _volume(source, block_size, _sequence(source, block_size, extent))
            except ImageError as error:
                problem = problem or error
    raise problem or damaged("The image says it has a UDF volume, but no anchor at block 256 or its end leads to it.")


def _anchors(source: Source) -> Iterator[tuple[int, tuple[int, int], tuple[int, int]]]:
    """Yield (block size, main extent, reserve extent) of the anchors found (ECMA-167 3/8.4.2.1)."""
    for block_size in BLOCK_SIZES:
        last = source.size // block_size - 1
        for block in dict.fromkeys((256, last, last - 256, 512)):
            offset = block * block_size
            if block < 32 or offset + 512 > source.size:
                continue
            data = source.read(offset, 512)
            if data[:2] != b"\2\0" or int.from_bytes(data[12:16], "little") != block:
                continue
            try:
                check_tag(data, 2)
            except ImageError:
                # a broken anchor is what the others are there for
                continue
            main_size, main, reserve_size, reserve = struct.unpack_from("<IIII", data, 16)
            yield block_size, (main, main_size), (reserve, reserve_size)


def _sequence(source: Source, block_size: int, extent: tuple[int, int]) -> dict[tuple[int, int], bytes]:
    """Return the prevailing descriptors of a sequence by (tag, partition number), as ECMA-167 3/8.4.3 chooses them."""
    found: dict[tuple[int, int], bytes] = {}
    block, left = extent
    for _ in range(MOST_DESCRIPTORS):
        if left < block_size:
            break
        data = source.read(block * block_size, block_size)
        block, left = block + 1, left - block_size
        tag = int.from_bytes(data[:2], "little")
        if tag in (0, 8):
            break
        if tag == 3:
            check_tag(data, 3)
            left, block = struct.unpack_from("<II", data, 20)
        elif tag in (1, 5, 6):
            check_tag(data, tag)
            key = (tag, int.from_bytes(data[22:24], "little") if tag == 5 else 0)
            # the descriptor with the highest volume descriptor sequence number prevails
            if key not in found or found[key][16:20][::-1] <= data[16:20][::-1]:
                found[key] = data
    for tag, what in _PREVAILING.items():
        if (tag, 0) not in found:
            raise damaged(f"The UDF volume descriptor sequence has no {what} volume descriptor.")
    return found


def _volume(source: Source, block_size: int, found: dict[tuple[int, int], bytes]) -> UdfVolume:
    primary, logical = found[1, 0], found[6, 0]
    if int.from_bytes(logical[212:216], "little") != block_size:
        raise damaged("The UDF logical volume has another block size than the place of its anchor says.")
    partitions = Partitions(source, block_size)
    ends = [
        sum(struct.unpack_from("<II", data, 188))
        for (tag, _), data in found.items()
        if tag == 5 and int.from_bytes(data[184:188], "little") not in _UNFILLED
    ]
    physical = {
        number: PhysicalMap(block_size, *struct.unpack_from("<II", data, 188))
        for (tag, number), data in found.items()
        if tag == 5
    }
    for entry in _map_entries(logical):
        _add_map(partitions, physical, entry)
    block, reference = struct.unpack_from("<IH", logical, 252)
    file_set = partitions.read(reference, block, 512)
    check_tag(file_set, 256)
    root_block, root_reference = struct.unpack_from("<IH", file_set, 404)
    revision = int.from_bytes(logical[240:242], "little")
    return UdfVolume(
        volume_id=dstring(primary[24:56]),
        logical_volume_id=dstring(logical[84:212]),
        volume_set_id=dstring(primary[72:200]),
        file_set_id=dstring(file_set[304:336]),
        application_id=primary[345:368].partition(b"\0")[0].decode("latin-1"),
        revision=f"{revision >> 8:x}.{revision & 0xFF:02x}",
        recorded=timestamp(primary[376:388]),
        block_size=block_size,
        size=max(ends, default=0) * block_size,
        partitions=partitions,
        root=(root_reference, root_block),
    )


def _map_entries(logical: bytes) -> Iterator[bytes]:
    size, count = struct.unpack_from("<II", logical, 264)
    table = logical[440 : 440 + size]
    at = 0
    for _ in range(min(count, MOST_MAPS)):
        length = table[at + 1] if at + 2 <= len(table) else 0
        if length < 6 or at + length > len(table):
            raise damaged("The partition maps of the UDF logical volume are cut off. The image is damaged.")
        yield table[at : at + length]
        at += length


def _add_map(partitions: Partitions, physical: dict[int, PhysicalMap], entry: bytes) -> None:
    kind = entry[0]
    if kind not in (1, 2) or (kind == 2 and len(entry) < 64):
        raise damaged(f"The UDF volume has a partition map of the unknown type {kind}.", "unsupported")
    number = int.from_bytes(entry[4:6] if kind == 1 else entry[38:40], "little")
    if number not in physical:
        raise damaged(f"The UDF volume has no descriptor of its partition {number}.")
    partition = physical[number]
    identifier = b"" if kind == 1 else entry[5:28].rstrip(b"\0")
    if kind == 1:
        partitions.maps.append(partition)
    elif identifier == b"*UDF Virtual Partition":
        partitions.maps.append(_virtual_map(partitions, partition))
    elif identifier == b"*UDF Sparable Partition":
        partitions.maps.append(_sparable_map(partitions, partition, entry))
    elif identifier == b"*UDF Metadata Partition":
        partitions.maps.append(_metadata_map(partitions, partition, entry))
    else:
        name = identifier.decode("latin-1")
        raise damaged(f"The UDF volume has a partition map of the unknown kind {name!r}.", "unsupported")


def _alone(partitions: Partitions, partition: PhysicalMap) -> Partitions:
    """Return the physical partition as the only one, to read the files that describe the others."""
    alone = Partitions(partitions.source, partitions.block_size)
    # references in those files are to the partition itself, whatever its number in the volume (UDF 2.2.10, 2.2.11)
    alone.maps = [partition] * MOST_MAPS
    return alone


def _metadata_map(partitions: Partitions, partition: PhysicalMap, entry: bytes) -> MetadataMap:
    main, mirror = struct.unpack_from("<II", entry, 40)
    alone = _alone(partitions, partition)
    try:
        icb = read_icb(alone, 0, main)
    except ImageError:
        # the mirror is there for a damaged main file (UDF 2.2.13)
        icb = read_icb(alone, 0, mirror)
    return MetadataMap(partitions.source, icb.extents, partitions.block_size)


def _sparable_map(partitions: Partitions, partition: PhysicalMap, entry: bytes) -> SparableMap:
    packet, tables, size = struct.unpack_from("<HBxI", entry, 40)
    source, block_size = partitions.source, partitions.block_size
    if not packet:
        raise damaged("The UDF sparable partition has packets of no length. The image is damaged.")
    for number in range(min(tables, 4)):
        offset = int.from_bytes(entry[48 + 4 * number : 52 + 4 * number], "little") * block_size
        table = source.read(offset, min(size, 56 + 8 * MOST_SPARED)) if size >= 56 else b""
        if table[17:40].rstrip(b"\0") == b"*UDF Sparing Table":
            count = min(int.from_bytes(table[48:50], "little"), (len(table) - 56) // 8)
            pairs = struct.iter_unpack("<II", table[56 : 56 + 8 * count])
            return SparableMap(source, partition, packet, {a: b for a, b in pairs if a < 0xFFFFFFF0})
    raise damaged("The UDF sparable partition has no readable sparing table. The image is damaged.")


def _virtual_map(partitions: Partitions, partition: PhysicalMap) -> VirtualMap:
    source, block_size = partitions.source, partitions.block_size
    alone = _alone(partitions, partition)
    last = source.size // block_size - 1
    for block in range(last, max(last - VAT_SEARCHED, partition.start), -1):
        head = source.read(block * block_size, min(SECTOR, block_size))
        if int.from_bytes(head[:2], "little") not in FILE_ENTRY_TAGS or head[27] not in (0, 248):
            continue
        try:
            icb = read_icb(alone, 0, block - partition.start)
        except ImageError:
            # a block that only looks like a file entry; the search goes on
            continue
        table = _vat(source, partition, icb)
        if table is not None:
            return table
    raise damaged("The UDF volume has no virtual allocation table at its end. The recording was not closed.")


def _vat(source: Source, partition: PhysicalMap, icb: Icb) -> VirtualMap | None:
    if icb.file_type == 248:
        # UDF 2.00 and later: a header whose length comes first
        header = int.from_bytes(read_extents(source, icb.extents, 0, 2), "little") if icb.size >= 152 else 0
        return VirtualMap(source, partition, icb.extents, header, (icb.size - header) // 4) if header >= 152 else None
    # UDF 1.50: the table, then an entity identifier and the place of the previous table
    if icb.size < 36:
        return None
    tail = read_extents(source, icb.extents, icb.size - 36, 36)
    if tail[1:24].rstrip(b"\0") != b"*UDF Virtual Alloc Tbl":
        return None
    return VirtualMap(source, partition, icb.extents, 0, (icb.size - 36) // 4)
