"""POSIX names, modes, links and dates: SUSP 1.12 (system use) and RRIP 1.12 (Rock Ridge)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from isobay.image.descriptors import recording_date
from isobay.image.source import Source, damaged

__all__ = ["RockRidge", "attributes", "skipped_bytes"]

MOST_CONTINUATIONS = 32
"""Continuation areas of one record followed (SUSP 5.1): a 255-byte name with a long link needs three."""

MOST_TEXT = 8192
"""Bytes of a name or link collected at most: Linux's own limits are 255 and 4095."""

_EXTENSIONS = (b"RRIP_1991A", b"IEEE_P1282", b"IEEE_1282")


@dataclass(slots=True)
class RockRidge:
    """The attributes of one directory record. ``child`` is the block of a relocated directory (CL)."""

    name: str | None = None
    target: str | None = None
    mode: int | None = None
    modified: datetime | None = None
    child: int | None = None
    relocated: bool = False


def skipped_bytes(source: Source, system_use: bytes, block_size: int) -> int | None:
    """Return the SP entry's LEN_SKP when the root record's system use speaks Rock Ridge, else None (SUSP 5.3)."""
    # some writers for CD-ROM XA put 14 bytes before SP in the root record itself
    for start in (0, 14):
        if system_use[start : start + 2] == b"SP" and system_use[start + 4 : start + 6] == b"\xbe\xef":
            skip = system_use[start + 6] if len(system_use) > start + 6 else 0
            for signature, body in _entries(source, system_use[start:], block_size):
                identifier = body[4 : 4 + body[0]] if signature == b"ER" and body else b""
                if signature in (b"PX", b"RR") or identifier in _EXTENSIONS:
                    return skip
    return None


def attributes(source: Source, system_use: bytes, block_size: int) -> RockRidge:
    """Read the Rock Ridge entries of a record, its continuation areas included. ImageError when they have no end."""
    found = RockRidge()
    name = b""
    link = _Link()
    for signature, body in _entries(source, system_use, block_size):
        if signature == b"NM" and body:
            name += body[1:]
        elif signature == b"SL" and body:
            link.add(body[1:])
        elif signature == b"PX" and len(body) >= 8:
            found.mode = int.from_bytes(body[:4], "little")
        elif signature == b"TF" and body:
            found.modified = _modification_time(body)
        elif signature == b"CL" and len(body) >= 4:
            found.child = int.from_bytes(body[:4], "little")
        elif signature == b"RE":
            found.relocated = True
        if len(name) > MOST_TEXT or link.size > MOST_TEXT:
            raise damaged("A Rock Ridge name or link in the image is longer than any system allows. It is damaged.")
    if name:
        found.name = posix_text(name)
    if link.size:
        found.target = posix_text(link.text())
    return found


def posix_text(data: bytes) -> str:
    """Decode a name: UTF-8, else Latin-1, as old media have it."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _entries(source: Source, area: bytes, block_size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield (signature, bytes after the version) of every system use entry, continuation areas after their area."""
    for _ in range(MOST_CONTINUATIONS):
        following: tuple[int, int] | None = None
        at = 0
        while at + 4 <= len(area):
            length = area[at + 2]
            if length < 4 or at + length > len(area):
                break
            signature = area[at : at + 2]
            if signature == b"ST":
                break
            if signature == b"CE" and length >= 28:
                block, offset, size = (int.from_bytes(area[at + i : at + i + 4], "little") for i in (4, 12, 20))
                if offset + size > block_size:
                    raise damaged("A Rock Ridge continuation area reaches over its block. The image is damaged.")
                following = (block * block_size + offset, size)
            elif signature != b"CE":
                yield signature, area[at + 4 : at + length]
            at += length
        source.spend(4)
        if following is None:
            return
        area = source.read(*following)
    raise damaged("The Rock Ridge continuation areas of a record do not end. The image is damaged.", "loop")


class _Link:
    """The text of a symlink, gathered from the components of SL entries (RRIP 4.1.3)."""

    __slots__ = ("joined", "parts", "size")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.joined = False
        self.size = 0

    def add(self, components: bytes) -> None:
        at = 0
        while at + 2 <= len(components):
            flags, length = components[at], components[at + 1]
            text = components[at + 2 : at + 2 + length]
            at += 2 + length
            part = b"" if flags & 8 else b".." if flags & 4 else b"." if flags & 2 else text
            if self.joined and self.parts:
                self.parts[-1] += part
            else:
                self.parts.append(part)
            self.joined = bool(flags & 1)
            self.size += len(part) + 1

    def text(self) -> bytes:
        return b"/" if self.parts == [b""] else b"/".join(self.parts)


def _modification_time(body: bytes) -> datetime | None:
    # RRIP 4.1.6: the dates stand in the order of their flag bits; creation (bit 0) comes before modification (bit 1)
    flags = body[0]
    if not flags & 2:
        return None
    length = 17 if flags & 0x80 else 7
    start = 1 + (length if flags & 1 else 0)
    return recording_date(body[start : start + length])
