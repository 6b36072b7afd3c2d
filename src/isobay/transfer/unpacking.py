"""Packed images: gzip (RFC 1952), bzip2, xz and Zstandard (RFC 8878), told by their first bytes and unpacked in pieces.

Several members one after another are one file, as the tools of each format have it; so are gzip's and xz's zeros
after a member and Zstandard's skippable frames. Other bytes after the last member are damage.
"""

from __future__ import annotations

import bz2
import lzma
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from isobay.errors import ImageError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HEAD_BYTES = 10
MAX_PIECE_BYTES = 1 << 20
XZ_MEMORY_BYTES = 256 << 20  # xz -9 needs 65 MiB
ZSTD_WINDOW_LOG = 27  # 128 MiB: what `zstd --decompress` takes without an option
# A member costs far more to begin than to go on with: without a bound, a file of nothing but members takes days.
MANY_MEMBERS = 100_000
_MEAN_MEMBER_BYTES = 1 << 10  # bgzip's have 64 KiB
_XZ_PADDING = 4  # The .xz File Format 1.2.1, 2.2
# A member's end copies what follows it; from a large input, many small members would copy it many times.
_SLICE_BYTES = 64 << 10


class _Member(Protocol):
    """One gzip member, bzip2 stream, xz stream or Zstandard frame being unpacked."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class _GzipMember:
    """zlib's decompressor with the doors of the other three."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = MAX_PIECE_BYTES, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _xz_member() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)


def _zstd_member() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG})


class Unpacker:
    """Unpacks one file that arrives in parts. Not for several threads at once."""

    def __init__(self, kind: str, new_member: Callable[[], _Member], *, zeros_between: bool) -> None:
        self.kind = kind
        self._new_member = new_member
        self._zeros_between = zeros_between
        self._zeros = 0
        self._read = 0
        self._given = 0
        self._members = 1
        self._member: _Member | None = new_member()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the next part of the file unpacks to, in pieces of at most MAX_PIECE_BYTES.

        All pieces must be taken before the next part is fed; nothing of them is kept here, so how much is taken is
        the caller's limit. Raises ImageError with the reason ``damaged-archive``.
        """
        for start in range(0, len(data), _SLICE_BYTES):
            yield from self._unpack(data[start : start + _SLICE_BYTES])

    def finish(self) -> None:
        """Say that all parts were fed. Raises ImageError where the file ends too early."""
        if self._member is not None:
            raise self._damaged("it ends in the middle of the packed data")
        self._check_zeros()

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        self._read += len(data)
        while data or (self._member and not self._member.needs_input):
            member = self._member
            if member is None:
                data = self._after_zeros(data)
                if not data:
                    return
                member = self._member = self._next_member()
            try:
                piece = member.decompress(data, MAX_PIECE_BYTES)
            # bz2 raises OSError and ValueError, each of the others its own.
            except (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, ValueError, EOFError) as error:
                raise self._damaged(f"near its byte {self._read} the unpacker says: {error}") from error
            data = b""
            self._given += len(piece)
            if piece:
                yield piece
            if member.eof:
                data = member.unused_data
                self._member = None

    def _next_member(self) -> _Member:
        self._members += 1
        if self._members > MANY_MEMBERS + self._given // _MEAN_MEMBER_BYTES:
            raise self._damaged(f"it is made of {self._members} parts that hold next to nothing")
        return self._new_member()

    def _after_zeros(self, data: bytes) -> bytes:
        if not self._zeros_between:
            return data
        rest = data.lstrip(b"\0")
        self._zeros += len(data) - len(rest)
        if rest:
            self._check_zeros()
        return rest

    def _check_zeros(self) -> None:
        if self.kind == "xz" and self._zeros % _XZ_PADDING:
            raise self._damaged(f"{self._zeros} zero bytes stand after its streams, and only multiples of four may")

    def _damaged(self, what: str) -> ImageError:
        return ImageError(
            f"The {self.kind} archive cannot be unpacked: {what}. Fetch it again, or pack the image again "
            f"(with at most {XZ_MEMORY_BYTES >> 20} MiB of memory for xz, {1 << ZSTD_WINDOW_LOG - 20} MiB of window "
            "for zstd).",
            reason="damaged-archive",
            kind=self.kind,
        )


def unpacker_for(head: bytes) -> Unpacker | None:
    """Tell a packed file by its first bytes, HEAD_BYTES of them or the whole file; None for one that is not packed."""
    if head.startswith(b"\x1f\x8b\x08"):
        return Unpacker("gzip", _GzipMember, zeros_between=True)
    # After the header comes a block's magic number, or that of the end where nothing was packed.
    if re.match(rb"BZh[1-9](?:\x31\x41\x59\x26\x53\x59|\x17\x72\x45\x38\x50\x90)", head):
        return Unpacker("bzip2", bz2.BZ2Decompressor, zeros_between=False)
    if head.startswith(b"\xfd7zXZ\0"):
        return Unpacker("xz", _xz_member, zeros_between=True)
    # pzstd begins with a skippable frame.
    if re.match(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", head):
        return Unpacker("zstd", _zstd_member, zeros_between=False)
    return None
