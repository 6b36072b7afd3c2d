"""Partition maps: from a block of a partition to bytes of the image (ECMA-167 3/10.7; OSTA UDF 2.60 2.2.8–2.2.13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from isobay.image.entry import Extent, read_extents
from isobay.image.source import Source, damaged

__all__ = ["MetadataMap", "PartitionMap", "Partitions", "PhysicalMap", "SparableMap", "VirtualMap"]


class PartitionMap(Protocol):
    """Where the blocks of one partition reference lie."""

    def locate(self, block: int, size: int) -> Iterator[Extent]:
        """Yield the extents of ``size`` bytes from ``block``. ImageError when they leave the partition."""
        ...


class Partitions:
    """The partition maps of a logical volume, by partition reference number."""

    __slots__ = ("block_size", "maps", "source")

    def __init__(self, source: Source, block_size: int) -> None:
        self.source = source
        self.block_size = block_size
        self.maps: list[PartitionMap] = []

    def locate(self, reference: int, block: int, size: int) -> Iterator[Extent]:
        """Yield the extents of ``size`` bytes from ``block`` of a partition."""
        if reference >= len(self.maps):
            raise damaged(f"The UDF volume refers to partition {reference}, but has {len(self.maps)}.")
        return self.maps[reference].locate(block, size)

    def read(self, reference: int, block: int, size: int) -> bytes:
        """Return ``size`` bytes from ``block`` of a partition."""
        return read_extents(self.source, tuple(self.locate(reference, block, size)), 0, size)


class PhysicalMap:
    """A type 1 map: ``start`` and ``length`` are blocks of the volume."""

    __slots__ = ("block_size", "length", "start")

    def __init__(self, block_size: int, start: int, length: int) -> None:
        self.block_size = block_size
        self.start = start
        self.length = length

    def locate(self, block: int, size: int) -> Iterator[Extent]:
        """See PartitionMap."""
        if block * self.block_size + size > self.length * self.block_size:
            raise damaged(f"The UDF volume points at block {block} of a partition of {self.length} blocks.")
        yield Extent((self.start + block) * self.block_size, size)


class SparableMap:
    """A sparable map (UDF 2.2.9): packets in ``spared`` (first block → volume block) lie elsewhere."""

    __slots__ = ("_packet", "_physical", "_source", "_spared")

    def __init__(self, source: Source, physical: PhysicalMap, packet: int, spared: dict[int, int]) -> None:
        self._source = source
        self._physical = physical
        self._packet = packet
        self._spared = spared

    def locate(self, block: int, size: int) -> Iterator[Extent]:
        """See PartitionMap."""
        if not self._spared:
            yield from self._physical.locate(block, size)
            return
        block_size = self._physical.block_size
        while size > 0:
            self._source.spend(1)
            first = block // self._packet * self._packet
            step = min(size, (first + self._packet - block) * block_size)
            moved = self._spared.get(first)
            if moved is None:
                yield from self._physical.locate(block, step)
            else:
                yield Extent((moved + block - first) * block_size, step)
            block = first + self._packet
            size -= step


class VirtualMap:
    """A virtual map (UDF 2.2.8): the virtual allocation table names the block of the partition, one by one."""

    __slots__ = ("_count", "_physical", "_source", "_table", "_table_start")

    def __init__(
        self, source: Source, physical: PhysicalMap, table: tuple[Extent, ...], table_start: int, count: int
    ) -> None:
        self._source = source
        self._physical = physical
        self._table = table
        self._table_start = table_start
        self._count = count

    def locate(self, block: int, size: int) -> Iterator[Extent]:
        """See PartitionMap."""
        block_size = self._physical.block_size
        while size > 0:
            if block >= self._count:
                raise damaged(f"The UDF volume points at virtual block {block}; its table has {self._count}.")
            self._source.spend(2)
            entry = read_extents(self._source, self._table, self._table_start + 4 * block, 4)
            step = min(size, block_size)
            yield from self._physical.locate(int.from_bytes(entry, "little"), step)
            block += 1
            size -= step


class MetadataMap:
    """A metadata map (UDF 2.2.10): the blocks are those of the metadata file, whose ``extents`` are given."""

    __slots__ = ("_block_size", "_extents", "_source")

    def __init__(self, source: Source, extents: tuple[Extent, ...], block_size: int) -> None:
        self._source = source
        self._extents = extents
        self._block_size = block_size

    def locate(self, block: int, size: int) -> Iterator[Extent]:
        """See PartitionMap."""
        offset = block * self._block_size
        for extent in self._extents:
            self._source.spend(1)
            if offset >= extent.size:
                offset -= extent.size
                continue
            step = min(size, extent.size - offset)
            yield Extent(None if extent.offset is None else extent.offset + offset, step)
            size -= step
            offset = 0
            if size <= 0:
                return
        if size > 0:
            raise damaged(f"The UDF volume points at block {block}, beyond its metadata file.")
