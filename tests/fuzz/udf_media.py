"""UDF volumes made from the standard alone, with the partition kinds no free tool writes files into.

ECMA-167 3rd edition parts 3 and 4, and OSTA UDF 2.60 chapter 2. Block size 2048.
"""

from __future__ import annotations

import binascii
import struct

BLOCK = 2048
START = 260
"""First block of the partition."""

LENGTH = 60
DATE = struct.pack("<HhBBBBBBBB", 0x1000, 2024, 2, 29, 12, 30, 15, 25, 0, 0)


def tagged(identifier: int, location: int, body: bytes) -> bytes:
    """Put a descriptor tag with its checksums before ``body`` (ECMA-167 3/7.2)."""
    crc = binascii.crc_hqx(body, 0)
    tag = bytearray(struct.pack("<HHBBHHHI", identifier, 3, 0, 0, 1, crc, len(body), location))
    tag[4] = sum(tag) & 0xFF
    return bytes(tag) + body


def resigned(block: bytes) -> bytes:
    """Make the tag checksum and the CRC of a block right again after a change."""
    length = min(int.from_bytes(block[10:12], "little"), len(block) - 16)
    body = block[16 : 16 + length]
    tag = bytearray(block[:16])
    tag[8:12] = struct.pack("<HH", binascii.crc_hqx(body, 0), length)
    tag[4] = 0
    tag[4] = sum(tag) & 0xFF
    return bytes(tag) + block[16:]


def dstring(text: str, size: int) -> bytes:
    """Encode a dstring of 8-bit characters."""
    data = b"\x08" + text.encode("latin-1")
    return data.ljust(size - 1, b"\0") + bytes([len(data)])


def regid(identifier: bytes, suffix: bytes = b"") -> bytes:
    """Make an entity identifier (ECMA-167 1/7.4)."""
    return b"\0" + identifier.ljust(23, b"\0") + suffix.ljust(8, b"\0")


def long_ad(length: int, block: int, reference: int, kind: int = 0) -> bytes:
    """Make a long allocation descriptor."""
    return struct.pack("<IIH6x", length | kind << 30, block, reference)


def short_ad(length: int, block: int, kind: int = 0) -> bytes:
    """Make a short allocation descriptor."""
    return struct.pack("<II", length | kind << 30, block)


def extended_ad(length: int, block: int, reference: int) -> bytes:
    """Make an extended allocation descriptor."""
    return struct.pack("<IIIIH2x", length, length, length, block, reference)


def file_entry(location: int, file_type: int, size: int, kind: int, allocation: bytes, extended: bool = False) -> bytes:
    """Make a file entry or an extended one; ``kind`` 0 short, 1 long, 2 extended, 3 embedded."""
    icb_tag = struct.pack("<IHHHBBIHH", 0, 4, 0, 1, 0, file_type, 0, 0, kind)
    head = icb_tag + struct.pack("<IIIHBBI", 0, 0, 0x14A5, 1, 0, 0, 0)
    if extended:
        body = head + struct.pack("<QQQ", size, size, 1) + DATE * 4 + struct.pack("<II", 1, 0) + bytes(32)
        body += regid(b"*isobay tests") + struct.pack("<QII", 0, 0, len(allocation)) + allocation
        return tagged(266, location, body)
    body = head + struct.pack("<QQ", size, 1) + DATE * 3 + struct.pack("<I", 1) + bytes(16)
    body += regid(b"*isobay tests") + struct.pack("<QII", 0, 0, len(allocation)) + allocation
    return tagged(261, location, body)


def file_identifier(name: str, block: int, reference: int, flags: int = 0, wide: bool = False) -> bytes:
    """Make a file identifier descriptor (ECMA-167 4/14.4)."""
    text = b"" if flags & 8 else (b"\x10" + name.encode("utf-16-be") if wide else b"\x08" + name.encode("latin-1"))
    body = struct.pack("<HBB", 1, flags, len(text)) + long_ad(BLOCK, block, reference) + struct.pack("<H", 0) + text
    return tagged(257, block, body.ljust((len(body) + 16 + 3 & ~3) - 16, b"\0"))


class Files:
    """Blocks of a partition with a small tree, each kind of allocation descriptor once.

    Directories and entries refer to partition ``reference``, file data to ``data_reference``.
    """

    def __init__(self, reference: int, data_reference: int, data_at: int, extended: bool) -> None:
        self.blocks: dict[int, bytes] = {}
        self.data: dict[int, bytes] = {}
        self._reference = reference
        self._data_reference = data_reference
        self._data_at = data_at
        self._extended = extended
        self._write()

    def _entry(self, block: int, file_type: int, size: int, kind: int, allocation: bytes) -> None:
        self.blocks[block] = file_entry(block, file_type, size, kind, allocation, self._extended)

    def _write(self) -> None:
        here, there, at = self._reference, self._data_reference, self._data_at
        file_set = DATE + struct.pack("<HHIIII", 3, 3, 1, 1, 0, 0) + bytes(64) + dstring("Volume", 128) + bytes(64)
        file_set += dstring("Set", 32) + bytes(64) + long_ad(BLOCK, 1, here) + regid(b"*OSTA UDF Compliant")
        self.blocks[0] = tagged(256, 0, file_set.ljust(496, b"\0"))
        names = [("long.bin", 4, 0), ("embedded.txt", 5, 0), ("sub", 6, 2), ("link", 8, 0), ("extended.bin", 9, 0)]
        names += [("continued.bin", 10, 0), ("gone.txt", 5, 4), ("holes.bin", 12, 0)]
        root = file_identifier("", 1, here, 10) + b"".join(file_identifier(n, b, here, f) for n, b, f in names)
        self._entry(1, 4, len(root), 1, long_ad(len(root), 2, here))
        self.blocks[2] = root
        self._entry(4, 5, 3000, 1, long_ad(BLOCK, at, there) + long_ad(3000 - BLOCK, at + 3, there))
        self.data[at], self.data[at + 3] = b"A" * BLOCK, b"B" * (3000 - BLOCK)
        self._entry(5, 5, 9, 3, b"embedded\n")
        sub = file_identifier("", 1, here, 10) + file_identifier("名前 wide.txt", 7, here, 0, wide=True)
        self._entry(6, 4, len(sub), 3, sub)
        self._entry(7, 5, 5, 3, b"wide\n")
        target = b"\x03\0\0\0" + b"\x05\x04\0\0\x08sub" + b"\x05\x04\0\0\x08end"
        self._entry(8, 12, len(target), 3, target)
        self._entry(9, 5, 100, 2, extended_ad(100, at + 4, there))
        self.data[at + 4] = b"C" * 100
        self._entry(10, 5, BLOCK + 1, 1, long_ad(BLOCK, at, there) + long_ad(BLOCK, 11, here, 3))
        self.blocks[11] = tagged(258, 11, struct.pack("<II", 0, 16) + long_ad(1, at + 4, there))
        holes = long_ad(BLOCK, 0, 0, 2) + long_ad(BLOCK, at + 5, there, 1) + long_ad(4, at + 4, there)
        self._entry(12, 5, 2 * BLOCK + 4, 1, holes)


def volume(maps: list[bytes], blocks: dict[int, bytes], file_set: tuple[int, int], revision: int = 0x0250) -> bytes:
    """Put a volume around ``blocks`` of the partition; ``file_set`` is (block, partition reference)."""
    image: dict[int, bytes] = {START + block: data for block, data in blocks.items()}
    for sector, identifier in ((16, b"BEA01"), (17, b"NSR03" if revision >= 0x0200 else b"NSR02"), (18, b"TEA01")):
        image[sector] = b"\0" + identifier + b"\x01"
    primary = struct.pack("<II", 1, 0) + dstring("UDF_TEST", 32) + struct.pack("<HHHHII", 1, 1, 3, 3, 1, 1)
    primary += dstring("0123456789abcdefSet", 128) + bytes(144) + regid(b"*isobay tests") + DATE + bytes(32)
    partition = struct.pack("<IHH", 2, 1, 0) + regid(b"+NSR03") + bytes(128)
    partition += struct.pack("<III", 1, START, LENGTH) + bytes(32)
    table = b"".join(maps)
    logical = struct.pack("<I", 3) + bytes(64) + dstring("UDF_TEST", 128) + struct.pack("<I", BLOCK)
    logical += regid(b"*OSTA UDF Compliant", struct.pack("<H", revision)) + long_ad(BLOCK, *file_set)
    logical += struct.pack("<II", len(table), len(maps)) + bytes(160) + bytes(8) + table
    for base in (32, 48):
        for at, (identifier, body) in enumerate(((1, primary.ljust(496, b"\0")), (5, partition), (6, logical))):
            image[base + at] = tagged(identifier, base + at, body)
        image[base + 3] = tagged(8, base + 3, bytes(496))
    image[256] = tagged(2, 256, struct.pack("<IIII", 16 * BLOCK, 32, 16 * BLOCK, 48).ljust(496, b"\0"))
    out = bytearray((START + LENGTH) * BLOCK)
    for block, data in image.items():
        out[block * BLOCK : block * BLOCK + len(data)] = data
    return bytes(out)


TYPE_1 = struct.pack("<BBHH", 1, 6, 1, 0)


def type_2(identifier: bytes, use: bytes) -> bytes:
    """Make a type 2 partition map of 64 bytes (UDF 2.2.8)."""
    return (struct.pack("<BBH", 2, 64, 0) + regid(identifier) + struct.pack("<HH", 1, 0) + use).ljust(64, b"\0")


def physical(extended: bool = False) -> bytes:
    """A volume with one type 1 partition."""
    files = Files(0, 0, 40, extended)
    return volume([TYPE_1], files.blocks | files.data, (0, 0), 0x0201)


def metadata(broken_main: bool = False) -> bytes:
    """A volume of UDF 2.50 whose directories lie in a metadata partition of two extents."""
    files = Files(1, 0, 40, True)
    extents = short_ad(6 * BLOCK, 10) + short_ad(8 * BLOCK, 20)
    blocks = {(10 + block if block < 6 else 14 + block): data for block, data in files.blocks.items()} | files.data
    for place, file_type in ((1, 250), (2, 251)):
        blocks[place] = file_entry(place, file_type, 14 * BLOCK, 0, extents, extended=True)
    if broken_main:
        blocks[1] = bytes(BLOCK)
    use = struct.pack("<IIIIHB", 1, 2, 0xFFFFFFFF, 32, 1, 1)
    return volume([TYPE_1, type_2(b"*UDF Metadata Partition", use)], blocks, (0, 1))


def virtual(revision: int) -> bytes:
    """A volume whose directories lie in a virtual partition, its table in the last block."""
    files = Files(1, 0, 40, revision >= 0x0200)
    blocks = {30 - block: data for block, data in files.blocks.items()} | files.data
    table = b"".join(struct.pack("<I", 30 - block) for block in range(13))
    if revision >= 0x0200:
        table = struct.pack("<HH", 152, 0) + bytes(148) + table
    else:
        table += regid(b"*UDF Virtual Alloc Tbl") + struct.pack("<I", 0xFFFFFFFF)
    last = LENGTH - 1
    file_type = 248 if revision >= 0x0200 else 0
    blocks[last] = file_entry(last, file_type, len(table), 3, table, revision >= 0x0200)
    return volume([TYPE_1, type_2(b"*UDF Virtual Partition", b"")], blocks, (0, 1), revision)


def sparable() -> bytes:
    """A volume with a sparable partition in packets of 4 blocks, the first of them spared to block 48."""
    files = Files(0, 0, 40, False)
    blocks = {(48 + block if block < 4 else block): data for block, data in files.blocks.items()} | files.data
    entries = struct.pack("<II", 0, START + 48)
    blocks[56] = tagged(0, 56, regid(b"*UDF Sparing Table") + struct.pack("<HHI", 1, 0, 1) + entries)
    use = struct.pack("<HBBII", 4, 1, 0, BLOCK, START + 56)
    return volume([type_2(b"*UDF Sparable Partition", use)], blocks, (0, 0), 0x0201)


def build_all() -> dict[str, bytes]:
    """Make one volume of each kind: name to image."""
    return {
        "udf-physical": physical(),
        "udf-extended": physical(extended=True),
        "udf-metadata": metadata(),
        "udf-mirror": metadata(broken_main=True),
        "udf-virtual-1.50": virtual(0x0150),
        "udf-virtual-2.00": virtual(0x0200),
        "udf-sparable": sparable(),
    }
