"""Images made to cost the reader as much as they can: huge directories, chains and loops, at its own limits."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isobay.image import Image

from . import udf_media

SECTOR = 2048
ROOT = 20


@dataclass
class Hostile:
    """An image of ``size`` bytes behind ``content``, and the question that costs most; counts what is read."""

    name: str
    size: int
    content: Callable[[int, int], bytes]
    question: Callable[[Image], Any]
    reads: int = 0
    bytes: int = 0

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes of the image."""
        self.reads += 1
        self.bytes += size
        return self.content(offset, size)


def both(value: int) -> bytes:
    """Record a number in both byte orders (ECMA-119 7.3.3)."""
    return struct.pack("<I", value) + struct.pack(">I", value)


def record(name: bytes, block: int, size: int, flags: int = 0, use: bytes = b"") -> bytes:
    """Make a directory record (ECMA-119 9.1)."""
    name_part = name + b"\0" * (1 - len(name) % 2)
    length = 33 + len(name_part) + len(use)
    length += length % 2
    head = struct.pack("<BB", length, 0) + both(block) + both(size) + bytes([120, 1, 1, 0, 0, 0, 0, flags, 0, 0])
    return (head + b"\1\0\0\1" + bytes([len(name)]) + name_part + use).ljust(length, b"\0")


def descriptor(blocks: int, root: bytes) -> bytes:
    """Make a primary volume descriptor (ECMA-119 8.4)."""
    out = bytearray(b"\1CD001\1".ljust(SECTOR, b"\0"))
    out[8:72] = b" " * 64
    out[80:88] = both(blocks)
    out[128:132] = b"\0\x08\x08\0"
    out[156:190] = root
    out[190:813] = b" " * 623
    return bytes(out)


def filled(sector: bytes) -> bytes:
    """Fill a sector with as many copies of a record as fit."""
    return (sector * (SECTOR // len(sector))).ljust(SECTOR, b"\0")


def iso(
    directory: bytes, sectors: int, rest: dict[int, bytes] | None = None
) -> tuple[int, Callable[[int, int], bytes]]:
    """Make an image whose root has ``sectors`` sectors, all of them ``directory`` but the first."""
    size = (ROOT + sectors + 8) * SECTOR
    use = b"SP\x07\x01\xbe\xef\x00" + b"PX\x24\x01" + bytes(32)
    root = record(b"\0", ROOT, sectors * SECTOR, 2)
    first = record(b"\0", ROOT, sectors * SECTOR, 2, use) + record(b"\1", ROOT, sectors * SECTOR, 2)
    known = {16: descriptor(size // SECTOR, root), 17: b"\xffCD001\1", ROOT: first, **(rest or {})}

    def read_at(offset: int, count: int) -> bytes:
        out = b""
        end = min(size, offset + count)
        if offset // SECTOR > ROOT and not rest:
            return (directory * ((end - offset) // SECTOR + 2))[offset % SECTOR :][: end - offset]
        for number in range(offset // SECTOR, (end + SECTOR - 1) // SECTOR):
            default = directory if number > ROOT else b""
            out += known.get(number, default).ljust(SECTOR, b"\0")
        return out[offset % SECTOR :][: end - offset]

    return size, read_at


def _first_entries(image: Image) -> None:
    entries = image.entries()
    for _ in range(10):
        next(entries, None)


def _udf(name: str, image: bytes, question: Callable[[Image], Any]) -> Hostile:
    return Hostile(name, len(image), lambda offset, size: image[offset : offset + size], question)


def hostile_images() -> list[Hostile]:
    """Make them all."""
    continued = b"CE\x1c\x01" + both(ROOT + 1) + both(0) + both(28)
    loop = record(b"D", ROOT, 128 * SECTOR, 2, b"NM\x06\x01\0d")
    link = record(b"L", 0, 0, 0, b"NM\x06\x01\0lSL\x08\x01\0\0\x01l")
    found: list[Hostile] = []
    for name, directory, sectors, question in (
        ("zeros", bytes(SECTOR), 300_000, lambda image: image.find("/name")),
        ("small records", filled(record(b"A", 0, 0)), 300_000, lambda image: image.find("/name")),
        (
            "same needle",
            filled(record(b"NAME", 0, 0, 0, b"NM\x0a\x01\0name2")),
            8000,
            lambda image: image.find("/name"),
        ),
        ("no case", filled(record(b"A", 0, 0)), 300_000, lambda image: image.find("/NAME", ignore_case=True)),
        ("hidden entries", filled(record(b"A", 0, 0, 0, b"RE\x04\x01")), 300_000, _first_entries),
        ("associated files", filled(record(b"A", 0, 0, 4)), 300_000, _first_entries),
        ("extents", filled(record(b"A", 0, 1, 0x80)), 300_000, _first_entries),
        ("continuations", filled(record(b"A", 0, 0, 0, continued)), 8000, lambda image: image.find("/name")),
        ("one directory", filled(loop), 128, lambda image: image.find("/d" * 250)),
        ("links", filled(link), 128, lambda image: image.find("/l/l/l")),
        ("evidence", filled(record(b"EFI", ROOT, 8000 * SECTOR, 2)), 8000, lambda image: image.boot_architectures),
    ):
        size, read_at = iso(directory, sectors)
        found.append(Hostile(name, size, read_at, question))
    return [*found, *_hostile_udf()]


def _hostile_udf() -> list[Hostile]:
    out = []
    entry = udf_media.file_identifier("aa", 5, 0)
    blocks = dict(udf_media.Files(0, 0, 40, False).blocks)
    size = len(entry) * (40 * SECTOR // len(entry))
    directory = (entry * (size // len(entry))).ljust(40 * SECTOR, b"\0")
    blocks |= {20 + number: directory[number * SECTOR : (number + 1) * SECTOR] for number in range(40)}
    many = udf_media.long_ad(size - size % len(entry), 20, 0) * 100
    blocks[1] = udf_media.file_entry(1, 4, size * 100, 1, many)
    image = udf_media.volume([udf_media.TYPE_1], blocks, (0, 0))
    out.append(_udf("UDF directory", image, lambda image: image.find("/name")))
    out.append(_udf("UDF entries", image, _first_entries))
    gone = udf_media.file_identifier("aa", 5, 0, 4) * 40
    blocks[20] = gone[: SECTOR - SECTOR % 40]
    blocks[1] = udf_media.file_entry(1, 4, 1_000_000, 1, udf_media.long_ad(1600, 20, 0) * 100)
    image = udf_media.volume([udf_media.TYPE_1], blocks, (0, 0))
    out.append(_udf("UDF deleted entries", image, _first_entries))
    scattered = b"".join(udf_media.long_ad(1, 20 + number % 2, 0) for number in range(110))
    blocks[4] = udf_media.file_entry(4, 5, 1 << 40, 1, scattered + udf_media.long_ad(SECTOR, 11, 0, 3))
    chain = b"".join(udf_media.long_ad(1, 20 + number % 2, 0) for number in range(120))
    chain += udf_media.long_ad(SECTOR, 11, 0, 3)
    blocks[11] = udf_media.tagged(258, 11, struct.pack("<II", 0, len(chain)) + chain)
    blocks[1] = udf_media.Files(0, 0, 40, False).blocks[1]
    image = udf_media.volume([udf_media.TYPE_1], blocks, (0, 0))
    out.append(_udf("UDF extents without end", image, lambda image: image.find("/long.bin")))
    return out
