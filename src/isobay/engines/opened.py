"""What an engine opened for reading."""

from __future__ import annotations

from collections.abc import Callable, Generator

from msgspec import Struct

PIECE = 1 << 20


class Opened(Struct, frozen=True):
    """Bytes open for reading, by (offset, size), until ``close`` is called.

    ``tag`` is another one for other bytes, ``modified`` is RFC 3339, ``sha256`` in hex and empty where nobody knows.
    ``read_at`` is called by one thread at a time. ``file`` is the descriptor of a file with the same bytes, or -1.
    ``link`` gives a URL of the same bytes elsewhere, for a Content-Disposition and some seconds, or nothing.
    """

    name: str
    size: int
    tag: str
    modified: str
    sha256: str
    read_at: Callable[[int, int], bytes]
    close: Callable[[], None]
    file: int = -1
    link: Callable[[str, int], str] = lambda _disposition, _seconds: ""

    @property
    def chunks(self) -> Generator[bytes]:
        """All bytes in pieces; closed when they are drawn, or when the generator is."""
        try:
            for offset in range(0, self.size, PIECE):
                yield self.read_at(offset, min(PIECE, self.size - offset))
        finally:
            self.close()
