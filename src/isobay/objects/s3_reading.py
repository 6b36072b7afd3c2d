"""Reading at any offset what S3 gives in streams."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from threading import Lock

from isobay.errors import UnavailableError
from isobay.objects.s3_bucket import Bucket, Found, Stream

LARGE = 256 << 10  # who reads so much at once may be reading all of it; the readers of images ask for less
AHEAD = 64 << 20  # asked for at once where one large read follows another; no more of it is in memory than is read

Open = Callable[[int, int], Stream]
"""Begins to read at (offset, size): so many bytes, or fewer, but some."""


class Reader:
    """Turns reads into requests: one for each, or one for many that follow one another. Threads take turns."""

    def __init__(self, open_: Open) -> None:
        self._open = open_
        self._lock = Lock()
        self._stream: Stream | None = None
        self._next = -1

    def read(self, offset: int, size: int, end: int) -> bytes:
        """The bytes there, all of which are there, and more up to ``end``."""
        with self._lock:
            if size < LARGE:
                return self._exactly(offset, size)
            follows, self._next = offset == self._next, offset + size
            if follows:
                return self._ahead(offset, size, end)
            self._close()
            return self._exactly(offset, size)

    def close(self) -> None:
        """Let go of what is open; it is opened again when it is needed."""
        with self._lock:
            self._close()

    def _ahead(self, offset: int, size: int, end: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            came = self._go_on(size - len(data))
            if not came:
                self._close()
                start = offset + len(data)
                self._stream = self._open(start, min(AHEAD, end - start))
                came = self._stream.read(size - len(data))
            data += came
        return bytes(data)

    def _go_on(self, size: int) -> bytes:
        if self._stream is None:
            return b""
        try:
            return self._stream.read(size)
        except UnavailableError:
            return b""  # who reads slowly is cut off after a while: what is missing is asked for anew

    def _exactly(self, offset: int, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            with closing(self._open(offset + len(data), size - len(data))) as stream:
                while came := stream.read(size - len(data)):
                    data += came
        return bytes(data)

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class S3Object:
    """An object open for reading; safe for use by several threads."""

    file = -1

    def __init__(self, bucket: Bucket, found: Found) -> None:
        self.size = found.size
        self._reader = Reader(lambda offset, size: bucket.stream(found, offset, offset + size))

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end. Raises MissingObjectError where it was deleted meanwhile."""
        size = min(size, self.size - offset)
        return self._reader.read(offset, size, self.size) if size > 0 else b""

    def close(self) -> None:
        """Let go of the connection."""
        self._reader.close()
