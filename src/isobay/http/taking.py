"""Taking a body of any size: it comes in pieces, and never lies in memory as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from isobay.engines.receiving import Receiving
from isobay.errors import IsobayError, StalledError
from isobay.http.responses import Streams
from isobay.http.threads import Threads
from isobay.model import Upload

if TYPE_CHECKING:  # which names what is taken
    from isobay.http.endpoint import Reply

PIECE = 1 << 20


class Taken(Struct, frozen=True):
    """What a body goes into, and what is answered then.

    ``undo`` is called where it did not come to its end, and ``refused`` with the error where that was an answer to it.
    """

    receiving: Receiving
    then: Callable[[Upload], Reply]
    undo: Callable[[], object] = lambda: None
    refused: Callable[[IsobayError], object] = lambda _error: None


async def take(taken: Taken, receive: Any, stall_seconds: int, writers: Threads, places: Streams) -> Reply:
    """Take a body as it comes: while one piece is written, the next one is gathered.

    Raises StalledError where it broke off, UnavailableError where too many come already, and what the
    receiving raises.
    """
    is_whole = False
    writing: asyncio.Future[None] | None = None
    try:
        with places:
            async for piece in _pieces(receive, stall_seconds):
                if writing is not None:
                    await writing
                writing = writers.run(taken.receiving.take, piece)
            if writing is not None:
                await writing
            upload = await writers.run(taken.receiving.end)
            is_whole = True
    except IsobayError as error:
        await writers.run(taken.refused, error)
        raise
    finally:
        if writing is not None:
            await asyncio.wait([writing])
            writing.exception()  # the first failure is told; this one must not be called forgotten
        await writers.run(taken.receiving.leave)
        if not is_whole:
            await writers.run(taken.undo)
    return await writers.run(taken.then, upload)


async def _pieces(receive: Any, stall_seconds: int) -> AsyncIterator[bytes]:
    """The body in pieces of about a MiB. What came before it breaks off is given too."""
    gathered: list[bytes] = []
    size = 0
    while True:
        try:
            async with asyncio.timeout(stall_seconds):
                message = await receive()
        except TimeoutError:
            message = {"type": "stalled"}
        if message["type"] == "http.request":
            gathered.append(message.get("body", b""))
            size += len(gathered[-1])
            if size < PIECE and message.get("more_body", False):
                continue
        if size:
            yield b"".join(gathered)
            gathered.clear()
            size = 0
        if message["type"] != "http.request":
            raise _broken_off(message["type"] == "stalled", stall_seconds)
        if not message.get("more_body", False):
            return


def _broken_off(is_stalled: bool, stall_seconds: int) -> StalledError:
    if is_stalled:
        return StalledError(
            f"Nothing more of the body came for {stall_seconds} seconds. Send on from where it stopped, or raise "
            "ISOBAY_UPLOAD_STALL_SECONDS.",
            seconds=stall_seconds,
        )
    return StalledError("The connection was closed before all of the body was here.")
