"""A file on a web server, read here and there by Range, without being fetched."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress

from isobay.errors import FetchError
from isobay.transfer.answers import Answer, status_failure
from isobay.transfer.client import Client
from isobay.transfer.url import SourceUrl

HEAD = 256 << 10  # descriptors, the root directory and mostly the boot catalogue: what every question begins with
BLOCK = 96 << 10
CACHED_BLOCKS = 128
REQUEST_SECONDS = 60.0


class RemoteFile:
    """``read_at`` over HTTP (RFC 9110 14). Its first request is made when it is opened.

    ``max_requests`` and ``max_bytes`` bound what reading costs; 0 is no bound. Beyond them FetchError.
    """

    def __init__(self, client: Client, url: SourceUrl, max_requests: int = 0, max_bytes: int = 0) -> None:
        self._client = client
        self._url = url
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._requests = 0
        self._bytes = 0
        self._head, self.answer = self._fetch(0, HEAD)
        self._version = self.answer.version()

    @property
    def size(self) -> int:
        """The file's size in bytes; -1 where the server does not say."""
        return self.answer.length

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
        if offset < len(self._head):
            return self._head[offset:]
        number, start = divmod(offset, BLOCK)
        block = self._blocks.get(number)
        if block is None:
            first = number * BLOCK
            # One request for all that is wanted, and not less than a block: requests cost more than bytes.
            block = self._part(first, max(min(end - first, 2 * BLOCK), BLOCK))
            for index in range(0, len(block), BLOCK):
                self._blocks[number + index // BLOCK] = block[index : index + BLOCK]
            while len(self._blocks) > CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(number)
        return block[start:]

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
