"""What is sent: an answer that is there whole, and one that goes on while something happens."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from time import monotonic
from types import FrameType
from typing import Any

from msgspec import Struct

from isobay.errors import IsobayError, UnavailableError
from isobay.http.threads import Threads

EVENT_STREAM = "text/event-stream"
LOOK_SECONDS = 0.5
_BODILESS = (204, 304)
HEARTBEAT_SECONDS = 15


class Whole:
    """A response whose body is there: Litestar's own costs four times as much, most of it for cookies and such."""

    def __init__(self, body: bytes, status: int, media_type: str, headers: dict[str, str]) -> None:
        if status in _BODILESS:
            given = encoded(headers)
        else:
            given = [*encoded(headers, media_type), (b"content-length", b"%d" % len(body))]
        self._body = body
        self._start = {"type": "http.response.start", "status": status, "headers": given}

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Send it; where a WebSocket was asked for, instead of one (ASGI's extension WebSocket Denial Response)."""
        if scope["type"] == "websocket":
            await send({**self._start, "type": "websocket.http.response.start"})
            await send({"type": "websocket.http.response.body", "body": self._body})
            return
        await send(self._start)
        await send({"type": "http.response.body", "body": self._body})


def encoded(headers: dict[str, str], media_type: str = "") -> list[tuple[bytes, bytes]]:
    """Headers as ASGI has them."""
    found = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return [*found, (b"content-type", media_type.encode())] if media_type else found


class Event(Struct, frozen=True):
    """What is now: ``data`` is one line. The last event says that nothing will change any more."""

    name: str
    data: bytes
    is_last: bool

    @property
    def id(self) -> bytes:
        """The same for the same event, from whichever process it comes."""
        return sha256(self.data).hexdigest()[:16].encode()

    def written(self) -> bytes:
        """The event as the WHATWG's HTML standard has it, 9.2.6."""
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (self.id, self.name.encode(), self.data)


Look = Callable[[], Event]


class Streams:
    """What this process writes now and goes on for long, such as streams of events, with a limit."""

    def __init__(self, limit: int, kind: str, advice: str) -> None:
        self._free = limit
        self._limit = limit
        self._refusal = f"isobay writes {limit} {kind}, and begins no more. {advice}"
        self._hears = False
        self.is_ending = False

    def __enter__(self) -> None:
        """Take one of the places. Raises UnavailableError when all are taken."""
        if not self._free:
            raise UnavailableError(self._refusal, limit=self._limit)
        self._free -= 1
        if not self._hears:
            self._hears = True
            self._hear()

    def __exit__(self, *_: object) -> None:
        """Give the place back."""
        self._free += 1

    def _hear(self) -> None:
        """End with the service: the server waits until every answer is written, and tells none of them to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if callable(before):
                signal.signal(number, partial(self._end, before))

    def _end(self, before: Callable[[int, FrameType | None], Any], number: int, frame: FrameType | None) -> None:
        self.is_ending = True
        before(number, frame)


class EventStream:
    """Server-sent events: what is now, and again whenever it changed, until the last or until the caller goes away.

    No thread is held between two looks. A caller that comes back says in ``Last-Event-ID`` what it knows.
    """

    def __init__(self, look: Look, threads: Threads, streams: Streams) -> None:
        self._look = look
        self._threads = threads
        self._streams = streams

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send them. What the first look raises is raised, and answered like any failure."""
        with self._streams:
            event = await self._threads.run(self._look)
            known = dict(scope["headers"]).get(b"last-event-id", b"")
            if event.is_last and event.id == known:
                await Whole(b"", 204, "", {})(scope, receive, send)  # what tells an EventSource to stay away
                return
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            leaving = asyncio.ensure_future(left(receive))
            try:
                await self._follow(event, known, leaving, send)
            finally:
                leaving.cancel()
            await send({"type": "http.response.body", "body": b""})

    async def _follow(self, event: Event, known: bytes, leaving: asyncio.Future[None], send: Any) -> None:
        written = 0.0
        while not leaving.done() and not self._streams.is_ending:
            piece = b""
            if event.id != known:
                known, piece = event.id, event.written()
            elif monotonic() - written >= HEARTBEAT_SECONDS:
                piece = b":\n\n"  # a comment: proxies cut connections that are silent
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                written = monotonic()
            if event.is_last:
                return
            await asyncio.wait([leaving], timeout=LOOK_SECONDS)
            try:
                event = await self._threads.run(self._look)
            except IsobayError:
                return  # the status is sent long ago; who connects again is told why by another


_HEADERS = [
    (b"content-type", EVENT_STREAM.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back until it has a page of them
]


async def left(receive: Any) -> None:
    """Wait until the caller goes away, or has the whole answer."""
    while (await receive())["type"] != "http.disconnect":
        pass
