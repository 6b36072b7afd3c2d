"""uvicorn's protocols with what they have not.

Of HTTP: bounds for the head of a request, and answers before the end of a body. Of WebSocket: refusals that are no
errors.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from isobay.errors import HeadTooLargeError, IsobayError, StalledError
from isobay.http.endpoint import JSON
from isobay.http.failures import envelope
from isobay.http.lingering import Lingering
from isobay.http.paths import CONSOLES

_CONSOLE = f"/{CONSOLES}/".encode()
HANDSHAKE_BYTES = 8000  # as much as one line of it may have in websockets, which would not answer a longer one
HANDSHAKE_HEADERS = 100


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    Counted are the bytes of a head, from the end of the request before it, and those between two pieces of a
    chunked body, where trailers would be. An answer that is there before all of the body is says that the connection
    ends with it, and what still comes is not read as another request.
    """

    transport: Lingering  # type: ignore[assignment] # all that uvicorn asks of one

    def __init__(self, *arguments: Any, max_head_bytes: int, head_seconds: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._max_head_bytes = max_head_bytes
        self._head_seconds = head_seconds
        self._head_left = max_head_bytes
        self._is_counting = True
        self._in_body = False
        self._keeps_alive = True
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn's own is
        """Wait for the first request."""
        super().connection_made(Lingering(transport, self.loop, self._is_sending))  # type: ignore[arg-type] # as above
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        self.transport.end()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End with the service: when the request is answered that it is at, and without waiting for who was."""
        self._keeps_alive = False
        if self.transport.is_lingering:
            self.transport.end()
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Read what came, no more of a head than may be."""
        if self.transport.is_lingering:
            self.transport.throw_away(data)
            return
        while self._is_counting and len(data) > self._head_left:
            data, rest = data[: self._head_left], data[self._head_left :]
            self._feed(data)
            if self._is_counting and not self._head_left:
                self._refuse(
                    HeadTooLargeError(
                        f"The request's head is larger than {self._max_head_bytes} bytes. Send less, or ask the "
                        "operator to raise ISOBAY_MAX_HEAD_BYTES.",
                        limit=self._max_head_bytes,
                    )
                )
                return
            data = rest
        self._feed(data)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._stop_timer()
        self._is_counting, self._in_body = False, True
        super().on_headers_complete()
        if self._becomes_console():
            return  # uvicorn made no cycle for it
        self._keeps_alive, self.cycle.keep_alive = self.cycle.keep_alive, False

    def on_chunk_header(self) -> None:
        """A piece of the body follows, or trailers."""
        self._is_counting, self._head_left = True, self._max_head_bytes

    def on_body(self, body: bytes) -> None:
        """It was a piece of the body."""
        self._is_counting = False
        super().on_body(body)

    def on_message_complete(self) -> None:
        """What comes next is another head."""
        self._is_counting, self._in_body, self._head_left = True, False, self._max_head_bytes
        if not self._becomes_console() and not self.cycle.response_started:
            self.cycle.keep_alive = self._keeps_alive
        super().on_message_complete()

    def _becomes_console(self) -> bool:
        return bool(self.parser.should_upgrade()) and self._should_upgrade()

    def _should_upgrade(self) -> bool:
        """Only what may become a console does; whatever else asks is answered as if it had not (RFC 9110, 7.8)."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return (
            _CONSOLE in self.url.lower()
            and self.parser.get_method() == b"GET"
            and size <= HANDSHAKE_BYTES
            and len(self.headers) <= HANDSHAKE_HEADERS
            and super()._should_upgrade()
        )

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: who asks is answered."""

    def _feed(self, data: bytes) -> None:
        if self._is_counting:
            self._head_left -= len(data)
        super().data_received(data)
        if self._is_counting and not self._in_body and self._head_left < self._max_head_bytes and not self._timer:
            self._start_timer()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self._head_seconds, self._time_is_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._is_answering():  # it is no slower than we are
            self._start_timer()
        elif self._head_left == self._max_head_bytes:  # nobody asked anything
            self.transport.close()
        else:
            self._refuse(
                StalledError(
                    f"The request's head did not come within {self._head_seconds} seconds. Send it faster, or ask the "
                    "operator to raise ISOBAY_REQUEST_SECONDS.",
                    seconds=self._head_seconds,
                )
            )

    def _is_sending(self) -> bool:
        return self._in_body or (self._is_counting and self._head_left < self._max_head_bytes)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, error: IsobayError) -> None:
        if self._is_answering():
            self.transport.end()
            return
        body = msgspec.json.encode(envelope(error))
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\nContent-Type: {JSON}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


class ConsoleProtocol(WebSocketsSansIOProtocol):
    """One WebSocket."""

    async def send(self, message: Any) -> None:
        """Send what the application says."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # uvicorn would log an error, as if there had been no answer
