"""Packed files come out as they went in, however they arrive, and in pieces that fit into memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import shutil
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobay.errors import ImageError
from isobay.transfer.unpacking import HEAD_BYTES, MANY_MEMBERS, MAX_PIECE_BYTES, Unpacker, unpacker_for
from servers import leave_out

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KINDS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
CONTENT = random.Random(7).randbytes(3000) + bytes(200_000) + random.Random(8).randbytes(3000)
SKIPPABLE = struct.pack("<II", 0x184D2A53, 5) + b"hello"
every_kind = pytest.mark.parametrize("kind", KINDS)


def opened(packed: bytes) -> Unpacker:
    """The unpacker that the first bytes ask for."""
    unpacker = unpacker_for(packed[:HEAD_BYTES])
    assert unpacker is not None
    return unpacker


def unpacked(packed: bytes) -> bytes:
    """Unpack a whole file that arrives at once."""
    unpacker = opened(packed)
    content = b"".join(unpacker.feed(packed))
    unpacker.finish()
    return content


def parts(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """The data cut at these places."""
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    return (data[start:end] for start, end in pairwise(places))


@every_kind
def test_the_first_bytes_tell_the_kind(kind: str) -> None:
    """A file of each kind is known by its first HEAD_BYTES, also one that nothing was packed into."""
    for content in (b"", CONTENT):
        packed = KINDS[kind](content)
        assert opened(packed).kind == kind
        assert unpacked(packed) == content


@pytest.mark.parametrize("head", [b"", b"\x1f\x8b", bytes(64), b"CD001", b"BZh9 is no bzip2", b"PK\x03\x04"])
def test_what_is_not_packed_has_no_unpacker(head: bytes) -> None:
    """An image's first bytes, other formats, and too few bytes are not taken for a packed file."""
    assert unpacker_for(head) is None


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("gzip", ["gzip", "-9", "-c"]),
        ("bzip2", ["bzip2", "-9", "-c"]),
        ("xz", ["xz", "-9", "-c"]),
        ("xz", ["xz", "--block-size=4096", "--check=sha256", "-T2", "-c"]),
        ("zstd", ["zstd", "-3", "-c"]),
        ("zstd", ["zstd", "--ultra", "-19", "--long=27", "-c"]),
    ],
)
def test_the_real_compressors_output_is_unpacked(kind: str, command: list[str]) -> None:
    """What the tools people use have packed, with a member of their own after it, comes out whole."""
    if not shutil.which(command[0]):
        leave_out(f"{command[0]} is not installed: install Debian's package of that name")
    packed = subprocess.run(command, input=CONTENT, capture_output=True, check=True).stdout
    assert opened(packed).kind == kind
    assert unpacked(packed) == CONTENT
    assert unpacked(packed + KINDS[kind](b"more")) == CONTENT + b"more"


FILES = {
    **{f"two {kind} members": pack(CONTENT) + pack(b"more") for kind, pack in KINDS.items()},
    "gzip with zeros": gzip.compress(CONTENT) + bytes(5) + gzip.compress(b"more") + bytes(512),
    "xz with padding": lzma.compress(CONTENT) + bytes(4) + lzma.compress(b"more") + bytes(8),
    "zstd with frames to skip": SKIPPABLE + zstd.compress(CONTENT) + SKIPPABLE * 2 + zstd.compress(b"more") + SKIPPABLE,
}


@pytest.mark.parametrize("packed", FILES.values(), ids=FILES)
@given(cuts=st.lists(st.integers(min_value=0), max_size=30))
def test_it_comes_out_the_same_however_it_is_cut(packed: bytes, cuts: list[int]) -> None:
    """Several members, and what may stand between them, give the same bytes for any sizes of the parts."""
    unpacker = opened(packed)
    content = b"".join(piece for part in parts(packed, cuts) for piece in unpacker.feed(part))
    unpacker.finish()
    assert content == CONTENT + b"more"


@pytest.mark.parametrize("packed", FILES.values(), ids=FILES)
def test_it_comes_out_byte_by_byte(packed: bytes) -> None:
    """Parts of a single byte are enough, also in the middle of a header."""
    unpacker = opened(packed)
    content = b"".join(piece for number in range(len(packed)) for piece in unpacker.feed(packed[number : number + 1]))
    unpacker.finish()
    assert content == CONTENT + b"more"


@every_kind
def test_a_bomb_never_builds_up(kind: str) -> None:
    """A small file that unpacks to much gives it in bounded pieces, and only as they are taken."""
    size = 96 << 20
    packed = KINDS[kind](bytes(size))
    unpacker = opened(packed)
    taken = 0
    tracemalloc.start()
    try:
        for piece in unpacker.feed(packed):
            assert 0 < len(piece) <= MAX_PIECE_BYTES
            taken += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    unpacker.finish()
    assert taken == size
    assert peak < 16 << 20


@every_kind
def test_a_cut_file_is_an_error(kind: str) -> None:
    """A file that ends too early, be it by one byte or before its second member is whole, is told from a whole one."""
    whole = KINDS[kind](CONTENT)
    for cut in (whole[:-1], whole[: len(whole) // 2], whole[:HEAD_BYTES], whole + whole[:7]):
        unpacker = opened(cut)
        for _ in unpacker.feed(cut):
            pass
        with pytest.raises(ImageError, match="ends in the middle") as caught:
            unpacker.finish()
        assert caught.value.context == {"reason": "damaged-archive", "kind": kind}


@every_kind
def test_damage_is_an_error(kind: str) -> None:
    """A changed byte inside, or bytes after the end that are no member, are found out and said."""
    whole = KINDS[kind](CONTENT)
    middle = len(whole) // 2
    changed = whole[:middle] + bytes([whole[middle] ^ 0x55]) + whole[middle + 1 :]
    if kind == "zstd":
        changed = zstd.compress(CONTENT, options={zstd.CompressionParameter.checksum_flag: 1})
        changed = changed[:-1] + bytes([changed[-1] ^ 0x55])
    for damaged in (changed, whole + b"<html>not a member</html>"):
        with pytest.raises(ImageError, match=f"The {kind} archive cannot be unpacked") as caught:
            unpacked(damaged)
        assert caught.value.context["reason"] == "damaged-archive"


def test_a_file_of_nothing_but_members_is_refused() -> None:
    """Very many members are taken where they hold something, and refused where they are empty."""
    empty = gzip.compress(b"")
    full = gzip.compress(bytes(1 << 20))
    assert len(unpacked(full + empty * MANY_MEMBERS)) == 1 << 20
    with pytest.raises(ImageError, match="parts that hold next to nothing"):
        unpacked(empty * (MANY_MEMBERS + 1))


def test_xz_padding_must_be_whole() -> None:
    """Between and after xz streams only multiples of four zeros may stand."""
    stream = lzma.compress(b"more")
    for damaged in (stream + bytes(3), stream + bytes(6) + stream):
        with pytest.raises(ImageError, match="multiples of four"):
            unpacked(damaged)


def test_a_dictionary_larger_than_the_memory_allowed_is_refused() -> None:
    """An xz file that asks for 512 MiB, or a zstd window of 256 MiB, is refused before the memory is taken."""
    stream = lzma.compress(b"x")
    block = stream[12:16] + b"\x22" + stream[17:20]  # The .xz File Format 1.2.1, 3.1 and 5.3.1
    large = stream[:12] + block + struct.pack("<I", zlib.crc32(block)) + stream[24:]
    frame = b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([(28 - 10) << 3]) + b"\x01\x00\x00"  # RFC 8878, 3.1.1.1.2
    for packed in (large, frame):
        with pytest.raises(ImageError, match="256 MiB of memory for xz, 128 MiB of window"):
            unpacked(packed)
    allowed = frame.replace(bytes([(28 - 10) << 3]), bytes([(27 - 10) << 3]))
    assert unpacked(allowed) == b""


@given(st.sampled_from(list(KINDS)), st.binary(max_size=200))
def test_no_bytes_bring_another_error(kind: str, tail: bytes) -> None:
    """Whatever follows a header, the answer is bytes or an ImageError."""
    head = KINDS[kind](b"")[:HEAD_BYTES]
    with suppress(ImageError):
        assert isinstance(unpacked(head + tail), bytes)
