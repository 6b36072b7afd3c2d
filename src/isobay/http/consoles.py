"""Consoles: a WebSocket (RFC 6455) joined to the VNC server (RFC 6143) of an instance, as noVNC expects it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from isobay.access import Visit
from isobay.errors import ForbiddenError, InvalidFieldsError, IsobayError, UnavailableError
from isobay.http.endpoint import JSON, Call, Endpoints, Reply
from isobay.http.environments import path_parameter
from isobay.http.failures import envelope, no_such_path
from isobay.http.paths import CONSOLES, ROOT, ASGIApp, normal
from isobay.http.responses import Whole
from isobay.http.services import Services
from isobay.telemetry import logs
from isobay.transfer.tickets import Ticket

MESSAGE_BYTES = 64 << 10  # of what a caller sends; noVNC sends no more than 10 KiB at once
PIECE_BYTES = 64 << 10
PING_SECONDS = 20  # without a pong for as long again, the caller is gone
CONNECT_SECONDS = 10
STALL_SECONDS = 60  # a side that takes nothing for so long is gone
LOOK_SECONDS = 5  # between two looks whether the key is still one
_PATH = f"{ROOT}/{CONSOLES}/"

endpoints = Endpoints("instances")


class Ending(Struct, frozen=True):
    """Why a console ends: a status code of RFC 6455, 7.4.1, and a phrase of at most 123 bytes."""

    code: int
    reason: str


_GUEST_LEFT = Ending(1000, "The instance's console ended.")
_IDLE = Ending(1000, "Nothing happened for long.")
_STALLED = Ending(1008, "Nothing was taken for long.")
_NO_TEXT = Ending(1003, "A console takes binary messages alone.")
_NO_RIGHT = Ending(1008, "The key may not see this console any more.")


@endpoints.add(
    "GET",
    f"/{CONSOLES}/{{ticket:str}}",
    "Open the console of an instance, as a WebSocket",
    parameters=(path_parameter("ticket", "What getConsole answered with, within a minute of it."),),
    errors=(400, 401, 403, 404, 409, 502, 503),
    status=101,
    wrapped=False,
)
def get_console(_call: Call) -> Reply:
    """Binary messages in both directions are the bytes of VNC. No key is needed; a request that is no WebSocket's: 400.

    A page may open it that comes from this host, or from where ISOBAY_PUBLIC_URL says.
    """
    raise InvalidFieldsError(
        {"Upgrade": "must be websocket; if it was, a proxy on the way takes it out and has to be told to pass it on"}
    )


class Consoles:
    """Wraps the application: answers WebSockets, and passes everything else on."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._public_host = urlsplit(services.settings.public_url).netloc.lower()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Join the caller to the console that its ticket opens, until one of both ends it."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        await receive()
        path = normal(scope["path"])
        token = path.removeprefix(_PATH)
        if token == path or "/" in token:
            await no_such_path(scope, receive, send)
            return
        try:
            self._check_origin(dict(scope["headers"]))
            with self._services.consoles:
                await self._serve(token, scope, receive, send)
        except IsobayError as error:
            await Whole(msgspec.json.encode(envelope(error)), error.status, JSON, {})(scope, receive, send)

    def _check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        """Raise ForbiddenError for a page of somebody else's: it may have learned a ticket, and not be meant to."""
        origin = headers.get(b"origin")
        if origin is None:
            return
        here = {headers.get(b"host", b"").decode("latin-1").lower(), self._public_host} - {""}
        if urlsplit(origin.decode("latin-1")).netloc.lower() not in here:
            raise ForbiddenError(
                "A console opens from a page of isobay's own host alone. If this is one, ISOBAY_PUBLIC_URL has to say "
                "how people reach it."
            )

    def _address(self, ticket: Ticket) -> tuple[str, int]:
        here = self._visit(ticket)
        return here.engine.instances.console(here.place, ticket.instance_id)

    def _visit(self, ticket: Ticket) -> Visit:
        return self._services.door.resume(ticket.key_id, ticket.environment_id, "write")

    async def _serve(self, token: str, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        ticket = self._services.tickets.read(token)
        reader, writer = await self._connect(ticket)
        about = {"instance": ticket.instance_id, "key_id": ticket.key_id or "operator"}
        began = monotonic()
        logs.write(logging.INFO, "console opened", **about)
        try:
            protocol = "binary" if "binary" in scope["subprotocols"] else None
            await send({"type": "websocket.accept", "subprotocol": protocol})
            joint = _Joint(receive, send, reader, writer)
            await joint.end(await _first(joint.to_guest(), joint.from_guest(), self._watch(ticket, joint)))
        finally:
            writer.transport.abort()
            logs.write(logging.INFO, "console ended", **about, seconds=round(monotonic() - began, 1))

    async def _connect(self, ticket: Ticket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        threads = self._services.host_threads
        address = await threads.run(self._address, ticket)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(*address, limit=PIECE_BYTES)
        except OSError as error:  # a TimeoutError is one too
            raise UnavailableError(
                "The instance's VNC server does not answer. Try again; if it stays, the log of its host says more.",
                id=ticket.instance_id,
            ) from error
        try:
            # A port that is free again goes to the next guest: that one is somebody else's.
            if await threads.run(self._address, ticket) == address:
                return reader, writer
        except BaseException:
            writer.transport.abort()
            raise
        writer.transport.abort()
        raise UnavailableError("The instance was started anew meanwhile. Try it again.", id=ticket.instance_id)

    async def _watch(self, ticket: Ticket, joint: _Joint) -> Ending:
        idle = self._services.settings.console_idle_seconds
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, idle))
            if joint.silence() >= idle:
                return _IDLE
            try:
                await self._services.threads.run(self._visit, ticket)
            except IsobayError:
                return _NO_RIGHT


class _Joint:
    """The two sides of a console. Work that gives None has ended because the caller left."""

    def __init__(self, receive: Any, send: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._receive = receive
        self._send = send
        self._reader = reader
        self._writer = writer
        self._moved = monotonic()

    async def to_guest(self) -> Ending | None:
        """Carry what the caller sends; no more is read from it while the guest does not take that."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return None
            data = message.get("bytes")
            if data is None:
                return _NO_TEXT
            self._moved = monotonic()
            self._writer.write(data)
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    await self._writer.drain()
            except OSError:
                return _GUEST_LEFT

    async def from_guest(self) -> Ending | None:
        """Carry what the guest sends; no more is read from it while the caller does not take that."""
        while True:
            try:
                data = await self._reader.read(PIECE_BYTES)
            except OSError:
                return _GUEST_LEFT
            if not data:
                return _GUEST_LEFT
            self._moved = monotonic()
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    await self._send({"type": "websocket.send", "bytes": data})
            except TimeoutError:
                return _STALLED
            except (OSError, RuntimeError):  # uvicorn says either of a caller that is leaving
                return None

    def silence(self) -> float:
        """For how many seconds nothing moved."""
        return monotonic() - self._moved

    async def end(self, ending: Ending | None) -> None:
        """Tell the caller why it ends, if it is there and listens; else cut it off."""
        if ending is None:
            return
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._send({"type": "websocket.close", "code": ending.code, "reason": ending.reason})
        except TimeoutError:
            # Closing would wait until what was written before is taken.
            self._send.__self__.transport.abort()
        except (OSError, RuntimeError):
            return


async def _first(*work: Coroutine[Any, Any, Ending | None]) -> Ending | None:
    """What ends first of some work; the rest of it is cancelled."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
