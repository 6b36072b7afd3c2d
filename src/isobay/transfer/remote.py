"""A file on a web server, read here and there by Range, without being fetched."""

from __future__ import annotations

from contextlib import suppress

from isobay.errors import FetchError
from isobay.transfer.answers import Answer, status_failure
from isobay.transfer.client import Client
from isobay.transfer.url import SourceUrl

HEAD = 256 << 10  # descriptors, the root directory and mostly the boot catalogue: what every question begins with
AHEAD = 128 << 10  # requests cost more than bytes, and what belongs together mostly lies one behind the other
KEPT_PIECES = 64
REQUEST_SECONDS = 10.0


class RemoteFile:
    """``read_at`` over HTTP (RFC 9110 14). Its first request is made when it is opened.

    Redirects are followed once: later requests go to where they led. ``max_requests``, without the redirects, and
    ``max_bytes`` bound what reading costs; 0 is no bound. Beyond them FetchError with the reason ``budget``.
    """

    def __init__(self, client: Client, url: SourceUrl, max_requests: int = 0, max_bytes: int = 0) -> None:
        self._client = client
        self._url = url
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._requests = 0
        self._bytes = 0
        self.head, self.answer = self._fetch(0, HEAD)
        self._url = self.answer.url
        self._pieces = [(0, self.head)]
        self._version = self.answer.version()

    @property
    def size(self) -> int:
        """The file's size in bytes; -1 where the server does not say."""
        length = self.answer.length
        return len(self.head) if length < 0 and len(self.head) < HEAD else length

    @property
    def has_ranges(self) -> bool:
        """Whether the server gives parts of the file."""
        return self.answer.status == 206

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end. Raises FetchError."""
        found = bytearray()
        end = min(offset + size, self.size) if self.size >= 0 else offset + size
        while offset < end:
            piece = self._at(offset, end)
            if not piece:
                break
            found += piece[: end - offset]
            offset += len(piece)
        return bytes(found[:size])

    def _at(self, offset: int, end: int) -> bytes:
        for start, piece in self._pieces:
            if start <= offset < start + len(piece):
                return piece[offset - start :]
        piece = self._part(offset, max(min(end - offset, 2 * AHEAD), AHEAD))
        self._pieces.append((offset, piece))
        if len(self._pieces) > KEPT_PIECES:
            del self._pieces[1]  # the head is asked for most
        return piece

    def _part(self, offset: int, size: int) -> bytes:
        if not self.has_ranges:
            raise FetchError(
                f"{self._url.shown}: the server does not give parts of a file (Range), so what lies at byte {offset} "
                "cannot be read without fetching all before it. Import the file instead.",
                reason="no-range",
            )
        data, answer = self._fetch(offset, size)
        begins = answer.span[0] if answer.status == 206 and answer.span else -1
        if begins != offset or self._version.differs(answer.version()):
            raise FetchError(f"{self._url.shown} changed while it was read. Ask again.", reason="changing")
        return data

    def _fetch(self, offset: int, size: int) -> tuple[bytes, Answer]:
        self._spend(size)
        found = bytearray()
        answers: list[Answer] = []

        def begin(answer: Answer) -> None:
            if answer.status not in (200, 206):
                raise status_failure(answer)
            answers.append(answer)

        def take(data: bytes) -> None:
            found.extend(data)
            if len(found) >= size:
                raise _EnoughError

        # A server without Range sends all of the file: the connection is cut when what is wanted has come.
        with suppress(_EnoughError):
            wanted = f"Range: bytes={offset}-{offset + size - 1}"
            self._client.get(self._url, begin, take, [wanted], REQUEST_SECONDS)
        return bytes(found[:size]), answers[0]

    def _spend(self, size: int) -> None:
        self._requests += 1
        self._bytes += size
        if (self._max_requests and self._requests > self._max_requests) or (
            self._max_bytes and self._bytes > self._max_bytes
        ):
            raise FetchError(
                f"{self._url.shown}: more would have to be fetched than a look from afar may cost. Import the file.",
                reason="budget",
            )


class _EnoughError(Exception):
    """All that was wanted has come."""
