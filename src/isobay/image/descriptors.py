"""Volume descriptors of ISO 9660 and the recognition sequence of UDF (ECMA-119 8, ECMA-167 2/8, 2/9)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from isobay.image.source import SECTOR, Source, damaged

__all__ = ["Descriptors", "VolumeDescriptor", "read_descriptors", "recording_date"]

FIRST_SECTOR = 16
MOST_DESCRIPTORS = 64
"""Sectors looked at: real media have at most a dozen descriptors before the end of the sequence."""

_JOLIET_ESCAPES = {b"%/@": 1, b"%/C": 2, b"%/E": 3}
_BLOCK_SIZES = (512, 1024, 2048)
_DATE = re.compile(rb"\d{16}")


@dataclass(frozen=True, slots=True)
class VolumeDescriptor:
    """A primary, supplementary (Joliet) or enhanced volume descriptor (ECMA-119 8.4, 8.5).

    ``volume_space_size`` is in logical blocks, ``logical_block_size``, ``path_table_size`` and ``root_size`` in
    bytes, ``root_block`` a logical block. Dates that are absent or no dates are None.
    """

    system_id: str
    volume_id: str
    volume_set_id: str
    publisher_id: str
    data_preparer_id: str
    application_id: str
    copyright_file_id: str
    abstract_file_id: str
    bibliographic_file_id: str
    volume_space_size: int
    volume_set_size: int
    volume_sequence_number: int
    logical_block_size: int
    path_table_size: int
    created: datetime | None
    modified: datetime | None
    expires: datetime | None
    effective: datetime | None
    root_block: int
    root_size: int
    root_extended_attributes: int
    joliet_level: int = 0

    @property
    def size(self) -> int:
        """Bytes the volume claims to have."""
        return self.volume_space_size * self.logical_block_size


@dataclass(frozen=True, slots=True)
class Descriptors:
    """What sector 16 and the sectors after it hold. ``nsr`` is the UDF standard identifier, or empty."""

    primary: VolumeDescriptor | None
    joliet: VolumeDescriptor | None
    enhanced: VolumeDescriptor | None
    boot_catalog: int | None
    nsr: str


def read_descriptors(source: Source) -> Descriptors:
    """Read the volume descriptor set of the first session. ImageError when a descriptor contradicts ECMA-119."""
    primary = joliet = enhanced = None
    boot_catalog: int | None = None
    nsr = ""
    ended = gap = False
    for sector in range(FIRST_SECTOR, FIRST_SECTOR + MOST_DESCRIPTORS):
        if (sector + 1) * SECTOR > source.size:
            break
        data = source.read(sector * SECTOR, SECTOR)
        identifier = data[1:6]
        if identifier == b"CD001" and not ended:
            kind = data[0]
            if kind == 255:
                ended = True
            elif kind == 0 and boot_catalog is None and data[7:39].rstrip(b"\0 ") == b"EL TORITO SPECIFICATION":
                boot_catalog = int.from_bytes(data[71:75], "little")
            elif kind == 1 and primary is None:
                primary = _volume(data, 0)
            elif kind == 2 and data[6] == 2:
                enhanced = enhanced or _volume(data, 0)
            elif kind == 2 and (level := _JOLIET_ESCAPES.get(data[88:91], 0)):
                joliet = joliet or _volume(data, level)
        elif identifier in (b"NSR02", b"NSR03"):
            nsr = nsr or identifier.decode()
        elif identifier == bytes(5) and not gap:
            # with blocks of 4096 bytes the UDF recognition sequence uses every other sector (ECMA-167 2/8.4)
            gap = True
            continue
        elif identifier == b"TEA01" or identifier not in (b"CD001", b"BEA01", b"BOOT2", b"CDW02"):
            break
        gap = False
    return Descriptors(primary, joliet, enhanced, boot_catalog, nsr)


def _volume(data: bytes, joliet_level: int) -> VolumeDescriptor:
    # 7.2.3 and 7.3.3: numbers stand in both byte orders; the little-endian one is read, as every system does
    block_size = int.from_bytes(data[128:130], "little")
    if block_size not in _BLOCK_SIZES:
        raise damaged(f"The volume descriptor gives a logical block size of {block_size} bytes; 2048 is usual.")

    def text(start: int, size: int) -> str:
        return _text(data[start : start + size], joliet_level > 0)

    space, set_size, sequence = struct.unpack_from("<I36xH2xH", data, 80)
    root_block, root_size = struct.unpack_from("<I4xI", data, 158)
    return VolumeDescriptor(
        system_id=text(8, 32),
        volume_id=text(40, 32),
        volume_set_id=text(190, 128),
        publisher_id=text(318, 128),
        data_preparer_id=text(446, 128),
        application_id=text(574, 128),
        copyright_file_id=text(702, 37),
        abstract_file_id=text(739, 37),
        bibliographic_file_id=text(776, 37),
        volume_space_size=space,
        volume_set_size=set_size,
        volume_sequence_number=sequence,
        logical_block_size=block_size,
        path_table_size=int.from_bytes(data[132:136], "little"),
        created=_digits_date(data[813:830]),
        modified=_digits_date(data[830:847]),
        expires=_digits_date(data[847:864]),
        effective=_digits_date(data[864:881]),
        root_block=root_block,
        root_size=root_size,
        root_extended_attributes=data[157],
        joliet_level=joliet_level,
    )


def _text(data: bytes, joliet: bool) -> str:
    if joliet:
        return data[: len(data) & ~1].decode("utf-16-be", "replace").partition("\0")[0].rstrip()
    raw = data.partition(b"\0")[0].rstrip(b" ")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _zone(quarters: int) -> timezone:
    # 8.4.26.1: quarters of an hour from Greenwich, -48 to +52; writers that put nonsense here mean UTC
    signed = quarters - 256 if quarters > 127 else quarters
    return timezone(timedelta(minutes=15 * signed)) if -48 <= signed <= 52 and signed else UTC


def _digits_date(data: bytes) -> datetime | None:
    """Read the 17-byte date of ECMA-119 8.4.26.1; None when it is not specified or no date."""
    if not _DATE.fullmatch(data[:16]) or data[:4] == b"0000":
        return None
    year, month, day, hour, minute, second, hundredths = (
        int(data[start:end]) for start, end in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14), (14, 16))
    )
    try:
        return datetime(year, month, day, hour, minute, second, hundredths * 10_000, _zone(data[16]))
    except ValueError:
        return None


def recording_date(data: bytes) -> datetime | None:
    """Read the 7-byte date of a directory record (ECMA-119 9.1.5) or the 17-byte one; None when it is no date."""
    if len(data) == 17:
        return _digits_date(data)
    if len(data) < 7 or not data[1]:
        return None
    try:
        return datetime(1900 + data[0], data[1], data[2], data[3], data[4], data[5], tzinfo=_zone(data[6]))
    except ValueError:
        return None
