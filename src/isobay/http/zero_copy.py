"""Files sent by the kernel itself: ASGI's extension Zero Copy Send, which uvicorn does not have, put around it.

A file goes from the page cache into the socket by sendfile(2), and its bytes are never in this process. What is needed
of uvicorn is in ``_Connection``, and nowhere else.
"""

from __future__ import annotations

import asyncio
import os
import select
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from isobay.errors import StorageError
from isobay.http.paths import ASGIApp
from isobay.http.threads import Threads

EXTENSION = "http.response.zerocopysend"
TURN_BYTES = 16 << 20  # sent for one caller before another one has its turn
QUICK_BYTES = 1 << 20  # sent by the loop itself where they are in memory: the way to a thread takes as long
QUICK_MILLISECONDS = 2  # a caller who reads this quickly is waited for in the thread: the way back costs as much
LOOK_SECONDS = 1.0
STALL_SECONDS = 60


class ZeroCopy:
    """Wraps an application: offers the extension where the connection is plain TCP, and does what it asks for."""

    def __init__(self, app: ASGIApp, readers: Threads) -> None:
        self._app = app
        self._readers = readers

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on."""
        cycle = getattr(send, "__self__", None)
        if not isinstance(cycle, RequestResponseCycle) or cycle.transport.get_extra_info("sslcontext"):
            await self._app(scope, receive, send)
            return

        connection = _Connection(cycle, self._readers)

        async def sending(message: dict[str, Any]) -> None:
            if message["type"] != EXTENSION:
                await connection.ready()
                await send(message)
                return
            await connection.send(message["file"], message["offset"], message["count"])
            if not message.get("more_body", False):
                await send({"type": "http.response.body", "body": b""})

        await self._app({**scope, "extensions": {**scope.get("extensions", {}), EXTENSION: {}}}, receive, sending)


class _Connection:
    """A connection of uvicorn's, between what it wrote itself and what it will write next."""

    def __init__(self, cycle: RequestResponseCycle, readers: Threads) -> None:
        self._cycle = cycle
        self._readers = readers

    async def ready(self) -> None:
        """Wait until uvicorn may write more, or knows that the caller is gone."""
        while not self._is_gone() and self._cycle.flow.write_paused:
            await self._cycle.flow.drain()

    async def send(self, file: int, offset: int, count: int) -> None:
        """Send bytes of a file. Raises TimeoutError for who takes nothing, StorageError where the file is shorter."""
        if not self._is_gone():
            await self._flush()
        if self._is_gone():
            return
        try:
            own = self._cycle.transport.get_extra_info("socket").fileno()
            done = _push_at_once(own, file, offset, min(count, QUICK_BYTES))
            if done < count:
                await self._send_rest(own, file, offset + done, count - done)
        except (BrokenPipeError, ConnectionResetError):
            self._cycle.transport.abort()
        if not self._is_gone():
            self._cycle.expected_content_length -= count

    def _is_gone(self) -> bool:
        """Whether the caller is, of which uvicorn tells the last request alone where several came at once."""
        if self._cycle.transport.is_closing() and not self._cycle.disconnected:
            self._cycle.disconnected = True
            self._cycle.message_event.set()
        return self._cycle.disconnected

    async def _send_rest(self, own: int, file: int, offset: int, count: int) -> None:
        # A descriptor of our own: the loop lets nobody else wait for its own one.
        out = os.dup(own)
        try:
            done = 0
            while done < count and not self._is_gone():
                sent = await self._readers.run(_push, out, file, offset + done, count - done)
                done += sent
                if done < count and not sent:
                    await self._writable(out)
        finally:
            os.close(out)

    async def _flush(self) -> None:
        """Wait until the kernel has all that was written before."""
        transport = self._cycle.transport
        if not transport.get_write_buffer_size():  # as it mostly is: uvloop writes at once what the kernel takes
            return
        low, high = transport.get_write_buffer_limits()
        transport.set_write_buffer_limits(high=0)
        transport.writelines(())  # uvloop now writes what is above the limit, and not in its next turn
        try:
            if transport.get_write_buffer_size():
                await self._drain()
        finally:
            if not self._is_gone():
                transport.set_write_buffer_limits(high=high, low=low)

    async def _drain(self) -> None:
        async with asyncio.timeout(STALL_SECONDS):
            while self._cycle.transport.get_write_buffer_size() and not self._is_gone():
                await self._cycle.flow.drain()
                await asyncio.sleep(0)

    async def _writable(self, out: int) -> None:
        """Wait until the caller has taken something, or went away."""
        loop = asyncio.get_running_loop()
        ready, ends = asyncio.Event(), loop.time() + STALL_SECONDS
        loop.add_writer(out, ready.set)
        try:
            while not ready.is_set() and not self._is_gone():
                if loop.time() > ends:
                    raise TimeoutError
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await ready.wait()
        finally:
            loop.remove_writer(out)


def _push_at_once(out: int, file: int, offset: int, count: int) -> int:
    """Send as much as the caller takes now, if the disk need not be waited for; how many bytes."""
    if not _is_in_memory(file, offset, count):
        return 0
    try:
        return os.sendfile(out, file, offset, count)
    except BlockingIOError:
        return 0


def _is_in_memory(file: int, offset: int, count: int) -> bool:
    """Whether both ends are in the page cache. What is between is too: files come and go there in long runs."""
    try:
        return all(os.preadv(file, [bytearray(1)], each, os.RWF_NOWAIT) for each in (offset, offset + count - 1))
    except OSError:  # it is not, or its file system cannot tell
        return False


def _push(out: int, file: int, offset: int, count: int) -> int:
    """Send as much as the caller takes now, at most a turn; how many bytes."""
    poll = select.poll()
    poll.register(out, select.POLLOUT)
    done, most = 0, min(count, TURN_BYTES)
    while done < most:
        try:
            sent = os.sendfile(out, file, offset + done, most - done)
        except BlockingIOError:
            if not poll.poll(QUICK_MILLISECONDS):
                break
            continue
        if not sent:
            raise StorageError(f"The file ends at {offset + done}, and {most - done} more bytes were promised.")
        done += sent
    return done
