"""Sending bytes that lie somewhere, or parts of them: a piece at a time, each read in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from isobay.engines.opened import Opened
from isobay.errors import IsobayError, StorageError
from isobay.http.ranges import Part
from isobay.http.responses import Streams, left
from isobay.http.threads import Threads
from isobay.http.zero_copy import EXTENSION, STALL_SECONDS
from isobay.telemetry import logs

PIECE = 1 << 20


class Sent(Struct, frozen=True):
    """What is sent: the parts of what is open, which is closed afterwards."""

    opened: Opened
    parts: Sequence[Part]


class Sending:
    """A response whose body is read while it is sent.

    One piece is read while the one before it is on its way, so a download never has more than two, and one job in the
    threads' queue: all downloads take turns.
    """

    def __init__(
        self, sent: Sent, status: int, headers: Sequence[tuple[bytes, bytes]], readers: Threads, places: Streams
    ) -> None:
        self._sent = sent
        self._start = {"type": "http.response.start", "status": status, "headers": headers}
        self._readers = readers
        self._places = places

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send it. What the first piece raises is raised, and answered like any failure."""
        by_kernel = self._sent.opened.file >= 0 and EXTENSION in scope.get("extensions", {})
        try:
            with self._places:
                await (self._hand_over(send) if by_kernel else self._send(receive, send))
        finally:
            self._sent.opened.close()

    async def _send(self, receive: Any, send: Any) -> None:
        pieces = self._pieces()
        ahead = self._read(pieces)
        has_started = False
        leaving = asyncio.ensure_future(left(receive))
        try:
            while ahead is not None and not leaving.done():
                piece, ahead = await ahead, None
                if not has_started:
                    await send(self._start)
                    has_started = True
                ahead = self._read(pieces)
                async with asyncio.timeout(STALL_SECONDS):
                    await send({"type": "http.response.body", "body": piece, "more_body": ahead is not None})
            if not has_started:
                await send(self._start)
                await send({"type": "http.response.body", "body": b""})
        except (IsobayError, TimeoutError) as error:
            if not has_started:
                raise
            _cut(error)
        finally:
            leaving.cancel()
            if ahead is not None:
                await asyncio.wait([ahead])  # nothing may be closed while a thread reads it

    async def _hand_over(self, send: Any) -> None:
        """Let the kernel send the file's bytes."""
        await send(self._start)
        try:
            for part in self._sent.parts:
                if part.before:
                    await asyncio.sleep(0)  # what is in memory is sent at once: others are to have their turn between
                    await send({"type": "http.response.body", "body": part.before, "more_body": True})
                if part.span.size:
                    span = {"file": self._sent.opened.file, "offset": part.span.start, "count": part.span.size}
                    await send({"type": EXTENSION, **span, "more_body": True})
        except (IsobayError, TimeoutError) as error:
            _cut(error)
            return
        await send({"type": "http.response.body", "body": b""})

    def _pieces(self) -> Iterator[tuple[bytes, int, int]]:
        """What to send in turn: bytes that stand before, the offset and the size of those to be read."""
        for part in self._sent.parts:
            before = part.before
            for offset in range(part.span.start, part.span.end, PIECE):
                yield before, offset, min(PIECE, part.span.end - offset)
                before = b""
            if before:
                yield before, 0, 0

    def _read(self, pieces: Iterator[tuple[bytes, int, int]]) -> asyncio.Future[bytes] | None:
        following = next(pieces, None)
        return None if following is None else self._readers.run(self._piece, *following)

    def _piece(self, before: bytes, offset: int, size: int) -> bytes:
        data = self._sent.opened.read_at(offset, size) if size else b""
        if len(data) != size:
            raise StorageError(f"{len(data)} of {size} bytes can be read at {offset}: the file is too short.")
        return before + data if before else data


def _cut(error: IsobayError | TimeoutError) -> None:
    """Say why a download ends. Its status is sent long ago: the server sees that the body is not whole, and cuts."""
    logs.error("a download ended early", reason=str(error) or f"nothing was taken for {STALL_SECONDS} seconds")
