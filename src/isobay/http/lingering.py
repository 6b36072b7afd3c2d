"""The end of a connection whose other side still sends.

To close a socket while bytes in it are unread is to reset the connection, and a reset destroys an answer that the other
side has not read yet. So only the sending half is closed at first, and what still comes is thrown away (RFC 9112, 9.6).
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections.abc import Callable
from typing import Any

MOST_BYTES = 1 << 30
MOST_SECONDS = 30.0
LOOK_SECONDS = 5.0  # who sent nothing since the last look is not waited for


class Lingering:
    """A transport that closes so. ``is_sending`` tells whether the other side is in the midst of a request."""

    def __init__(self, transport: Transport, loop: AbstractEventLoop, is_sending: Callable[[], bool]) -> None:
        self._plain = transport
        self._loop = loop
        self._is_sending = is_sending
        self._timer: TimerHandle | None = None
        self._ends_at = 0.0
        self._thrown = self._seen = 0
        self.is_lingering = False

    def __getattr__(self, name: str) -> Any:
        """Everything else is as the transport has it."""
        return getattr(self._plain, name)

    def write(self, data: bytes) -> None:
        """Write, unless all is said."""
        if not self.is_lingering:
            self._plain.write(data)

    def is_closing(self) -> bool:
        """Whether nothing more will be answered."""
        return self.is_lingering or self._plain.is_closing()

    def close(self) -> None:
        """Close when all is written: at once, or when the other side has ended, or was given enough time to."""
        if self.is_closing():
            return
        if not self._is_sending():
            self._plain.close()
            return
        self.is_lingering = True
        self._ends_at = self._loop.time() + MOST_SECONDS
        self._plain.write_eof()
        if not self._plain.is_reading():
            self._plain.resume_reading()
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)

    def throw_away(self, data: bytes) -> None:
        """Take what still comes."""
        self._thrown += len(data)
        if self._thrown > MOST_BYTES:
            self.end()

    def end(self) -> None:
        """Wait no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._plain.close()

    def _look(self) -> None:
        if self._thrown == self._seen or self._loop.time() >= self._ends_at:
            self.end()
            return
        self._seen = self._thrown
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
