"""Directories of a FAT12, FAT16 or FAT32 volume inside an image: the EFI boot image of El Torito.

Facts from Microsoft's "FAT: General Overview of On-Disk Format" 1.03, and UEFI 2.10 §13.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from isobay.image.source import Source

__all__ = ["FatFile", "FatVolume", "open_fat"]

MOST_CLUSTERS = 64
"""Clusters of one directory read: an EFI boot image has a dozen files."""

MOST_DIRECTORY_BYTES = 64 * 1024
_DIRECTORY, _VOLUME_LABEL, _LONG_NAME = 0x10, 0x08, 0x0F
_SECTOR_SIZES = (512, 1024, 2048, 4096)


@dataclass(frozen=True, slots=True)
class FatFile:
    """A directory entry: ``cluster`` is the first of its content, ``size`` in bytes (0 for a directory)."""

    name: str
    is_directory: bool
    cluster: int
    size: int


@dataclass(frozen=True, slots=True)
class FatVolume:
    """The geometry of a FAT volume at ``offset`` of the image; all places are bytes of the image."""

    source: Source
    bits: int
    clusters: int
    cluster_size: int
    fat_at: int
    root_at: int
    root_size: int
    root_cluster: int
    data_at: int

    def directory(self, path: tuple[str, ...]) -> Iterator[FatFile]:
        """Yield what a directory holds; nothing when it is not there. Names compare without case."""
        pieces = self._root()
        for name in path:
            found = next((file for file in _files(pieces) if file.name.lower() == name.lower()), None)
            if found is None or not found.is_directory:
                return
            pieces = self._chain(found.cluster)
        yield from _files(pieces)

    def read(self, file: FatFile, size: int) -> bytes:
        """Return up to ``size`` of the first bytes of a file, at most one cluster."""
        count = min(size, file.size, self.cluster_size)
        return self.source.read(self._cluster_at(file.cluster), count) if count else b""

    def _root(self) -> Iterator[bytes]:
        if self.bits == 32:
            return self._chain(self.root_cluster)
        return iter([self.source.read(self.root_at, min(self.root_size, MOST_DIRECTORY_BYTES))])

    def _chain(self, cluster: int) -> Iterator[bytes]:
        read = 0
        for _ in range(MOST_CLUSTERS):
            size = min(self.cluster_size, MOST_DIRECTORY_BYTES - read)
            if not 2 <= cluster < self.clusters + 2 or size <= 0:
                return
            yield self.source.read(self._cluster_at(cluster), size)
            read += size
            cluster = self._next(cluster)

    def _cluster_at(self, cluster: int) -> int:
        return self.data_at + (cluster - 2) * self.cluster_size

    def _next(self, cluster: int) -> int:
        at = self.fat_at + cluster * self.bits // 8
        entry = int.from_bytes(self.source.read(at, 4 if self.bits == 32 else 2), "little")
        if self.bits == 12:
            return entry >> 4 if cluster & 1 else entry & 0xFFF
        return entry & 0x0FFFFFFF


def open_fat(source: Source, offset: int) -> FatVolume | None:
    """Read the boot sector at byte ``offset``; None when no FAT volume begins there."""
    if offset + 512 > source.size:
        return None
    data = source.read(offset, 512)
    sector, per_cluster, reserved, fats, root_entries, total_16, fat_16 = struct.unpack_from("<HBHBHHxH", data, 11)
    total_32, fat_32 = struct.unpack_from("<II", data, 32)
    fat_sectors, total = fat_16 or fat_32, total_16 or total_32
    if sector not in _SECTOR_SIZES or not per_cluster or per_cluster & (per_cluster - 1) or not reserved or not fats:
        return None
    root_sectors = (root_entries * 32 + sector - 1) // sector
    data_sector = reserved + fats * fat_sectors + root_sectors
    clusters = (total - data_sector) // per_cluster
    if not fat_sectors or clusters <= 0:
        return None
    return FatVolume(
        source=source,
        # writers make FAT32 of fewer clusters than the specification wants; the empty 16-bit field tells
        bits=32 if not fat_16 else 12 if clusters < 4085 else 16,
        clusters=clusters,
        cluster_size=per_cluster * sector,
        fat_at=offset + reserved * sector,
        root_at=offset + (reserved + fats * fat_sectors) * sector,
        root_size=root_entries * 32,
        root_cluster=int.from_bytes(data[44:48], "little"),
        data_at=offset + data_sector * sector,
    )


def _files(pieces: Iterator[bytes]) -> Iterator[FatFile]:
    """Yield the files of a directory, with their long names where they have one."""
    long_name: list[str] = []
    for piece in pieces:
        for at in range(0, len(piece) - 31, 32):
            entry = piece[at : at + 32]
            attributes = entry[11]
            if entry[0] == 0:
                return
            if entry[0] == 0xE5:
                long_name = []
            elif attributes & 0x3F == _LONG_NAME:
                # the pieces of a long name stand last first; 0x40 marks the last
                text = (entry[1:11] + entry[14:26] + entry[28:32]).decode("utf-16-le", "replace")
                long_name = [text, *(() if entry[0] & 0x40 else long_name)][:20]
            elif not attributes & _VOLUME_LABEL:
                name = "".join(long_name).partition("\0")[0] or _short_name(entry)
                long_name = []
                cluster = int.from_bytes(entry[26:28], "little") | int.from_bytes(entry[20:22], "little") << 16
                yield FatFile(name, bool(attributes & _DIRECTORY), cluster, int.from_bytes(entry[28:32], "little"))


def _short_name(entry: bytes) -> str:
    stem, extension = entry[:8].decode("cp437").rstrip(), entry[8:11].decode("cp437").rstrip()
    return f"{stem}.{extension}" if extension else stem
