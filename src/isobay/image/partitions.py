"""Partition tables in the system area of a hybrid image: MBR, and GPT (UEFI 2.10 §5)."""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass

from isobay.image.source import Source

__all__ = ["Gpt", "GptPartition", "Mbr", "MbrPartition", "read_gpt", "read_mbr"]

MOST_PARTITIONS = 1024
"""GPT entries read at most: writers make 128 to 248."""

MOST_ENTRY_BYTES = 512


@dataclass(frozen=True, slots=True)
class MbrPartition:
    """One of the four primary partitions; ``start`` and ``count`` are 512-byte sectors."""

    number: int
    active: bool
    type: int
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Mbr:
    """A master boot record with at least one partition."""

    signature: int
    partitions: tuple[MbrPartition, ...]


@dataclass(frozen=True, slots=True)
class GptPartition:
    """A used entry of the GPT; ``first`` and ``last`` are sectors of the table's sector size, both included."""

    number: int
    type: uuid.UUID
    id: uuid.UUID
    first: int
    last: int
    attributes: int
    name: str


@dataclass(frozen=True, slots=True)
class Gpt:
    """A GUID partition table whose two checksums hold."""

    disk_id: uuid.UUID
    sector_size: int
    partitions: tuple[GptPartition, ...]


def read_mbr(head: bytes) -> Mbr | None:
    """Read the partition table of sector 0; None when there is none or no partition in it."""
    if len(head) < 512 or head[510:512] != b"\x55\xaa":
        return None
    partitions = []
    for number in range(4):
        status, kind, start, count = struct.unpack_from("<B3xB3xII", head, 446 + 16 * number)
        if status & 0x7F:
            # a status other than 00 and 80 means that these bytes are boot code, not a table
            return None
        if count:
            partitions.append(MbrPartition(number + 1, status == 0x80, kind, start, count))
    return Mbr(int.from_bytes(head[440:444], "little"), tuple(partitions)) if partitions else None


def read_gpt(source: Source, head: bytes) -> Gpt | None:
    """Read the primary GPT for 512-byte or 2048-byte sectors; None when there is none or a checksum fails."""
    for sector_size in (512, 2048):
        header = head[sector_size : sector_size + 512]
        if header[:8] == b"EFI PART" and len(header) == 512:
            return _gpt(source, header, sector_size)
    return None


def _gpt(source: Source, header: bytes, sector_size: int) -> Gpt | None:
    header_size, crc = struct.unpack_from("<II", header, 12)
    if not 92 <= header_size <= 512 or zlib.crc32(header[:16] + bytes(4) + header[20:header_size]) != crc:
        return None
    entries_sector, count, entry_size, entries_crc = struct.unpack_from("<QIII", header, 72)
    if count > MOST_PARTITIONS or not 128 <= entry_size <= MOST_ENTRY_BYTES or entry_size % 8:
        return None
    offset = entries_sector * sector_size
    if offset + count * entry_size > source.size:
        return None
    table = source.read(offset, count * entry_size)
    if zlib.crc32(table) != entries_crc:
        return None
    partitions = []
    for number in range(count):
        entry = table[number * entry_size : (number + 1) * entry_size]
        if not any(entry[:16]):
            continue
        first, last, attributes = struct.unpack_from("<QQQ", entry, 32)
        name = entry[56:128].decode("utf-16-le", "replace").partition("\0")[0]
        partition_type, identifier = uuid.UUID(bytes_le=entry[:16]), uuid.UUID(bytes_le=entry[16:32])
        partitions.append(GptPartition(number + 1, partition_type, identifier, first, last, attributes, name))
    return Gpt(uuid.UUID(bytes_le=header[56:72]), sector_size, tuple(partitions))
