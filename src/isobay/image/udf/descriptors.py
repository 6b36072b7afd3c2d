"""Descriptor tags, text and dates of UDF (ECMA-167 1/7, 3/7.2; OSTA UDF 2.60 2.1)."""

from __future__ import annotations

import binascii
import struct
from datetime import UTC, datetime, timedelta, timezone

from isobay.image.source import damaged

__all__ = ["check_tag", "dstring", "identifier_text", "timestamp"]

_NAMES = {
    1: "primary volume descriptor",
    2: "anchor volume descriptor pointer",
    3: "volume descriptor pointer",
    5: "partition descriptor",
    6: "logical volume descriptor",
    256: "file set descriptor",
    257: "file identifier descriptor",
    258: "allocation extent descriptor",
    261: "file entry",
    266: "extended file entry",
}


def check_tag(data: bytes, *expected: int) -> int:
    """Return the tag identifier of the descriptor at the start of ``data``.

    ImageError when it is none of ``expected``, or when the tag's checksum or the descriptor's CRC fails
    (ECMA-167 3/7.2).
    """
    wanted = " or ".join(_NAMES.get(number, str(number)) for number in expected)
    if len(data) < 16:
        raise damaged(f"The UDF volume ends where its {wanted} should be.")
    identifier, checksum, crc, crc_length = struct.unpack_from("<H2xB3xHH", data)
    if identifier not in expected:
        raise damaged(f"The UDF volume has no {wanted} where it says it has one (found tag {identifier}).")
    if (sum(data[:16]) - checksum) & 0xFF != checksum:
        raise damaged(f"The tag checksum of the UDF {wanted} does not match. The image is damaged.")
    if 16 + crc_length > len(data) or binascii.crc_hqx(data[16 : 16 + crc_length], 0) != crc:
        raise damaged(f"The checksum (CRC) of the UDF {wanted} does not match. The image is damaged.")
    return int(identifier)


def identifier_text(data: bytes) -> str:
    """Decode OSTA compressed Unicode (OSTA UDF 2.60 2.1.1): 8 or 16 bits a character after the compression ID."""
    if not data:
        return ""
    if data[0] in (8, 254):
        return data[1:].decode("latin-1")
    return data[1:].decode("utf-16-be", "replace")


def dstring(data: bytes) -> str:
    """Decode a fixed-length dstring, whose last byte is the length used (ECMA-167 1/7.2.12)."""
    return identifier_text(data[: min(data[-1], len(data) - 1)]).partition("\0")[0].rstrip()


def timestamp(data: bytes) -> datetime | None:
    """Read a 12-byte timestamp (ECMA-167 1/7.3); None when it is no date."""
    kind_zone, year, month, day, hour, minute, second, centi, hundred_micro, micro = struct.unpack("<HhBBBBBBBB", data)
    minutes = kind_zone & 0x0FFF
    minutes -= 0x1000 if minutes & 0x0800 else 0
    local = kind_zone >> 12 == 1 and -1440 < minutes < 1440 and minutes
    zone = timezone(timedelta(minutes=minutes)) if local else UTC
    microseconds = min(centi * 10_000 + hundred_micro * 100 + micro, 999_999)
    try:
        return datetime(year, month, day, hour, minute, second, microseconds, zone)
    except ValueError:
        return None
