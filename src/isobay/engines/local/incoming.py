"""Bytes on their way in: one thread brings them, another follows, and either may find that they begin anew."""

from __future__ import annotations

from collections import deque
from threading import Condition

from isobay.objects import Part
from isobay.transfer.client import HaltedError

RECENT = 4  # pieces: who follows closely need not read them again


class RestartedError(Exception):
    """The bytes begin anew: what was made of the earlier ones is of no use."""


class Incoming:
    """A part that is fetched into, and whoever waits for more of it."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=RECENT)
        self._changed = Condition()
        self._is_whole = False
        self._is_halted = False
        self.round = 0

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self._part.size

    def append(self, data: bytes) -> None:
        """Take more at the end. Raises StorageError."""
        offset = self._part.size
        self._part.append(data)
        with self._changed:
            self._recent.append((offset, data))
            self._changed.notify_all()

    def restart(self) -> None:
        """Forget all of it."""
        with self._changed:
            self.round += 1
            self._recent.clear()
            self._part.restart()
            self._changed.notify_all()

    def finish(self) -> None:
        """All of it is there."""
        with self._changed:
            self._is_whole = True
            self._changed.notify_all()

    def halt(self) -> None:
        """Nothing more will come, though it is not whole."""
        with self._changed:
            self._is_halted = True
            self._changed.notify_all()

    def wait_beyond(self, offset: int, current: int) -> tuple[int, bool]:
        """Wait until there is more than ``offset`` bytes, or the end: how many there are, and whether that is all.

        Raises RestartedError when the round is no longer ``current``, HaltedError when nothing more will come.
        """
        with self._changed:
            while True:
                self.check(current)
                if self._part.size > offset or self._is_whole:
                    return self._part.size, self._is_whole
                self._changed.wait()

    def check(self, current: int) -> None:
        """Raise RestartedError where the round is another one, HaltedError where nothing more will come."""
        if self._is_halted:
            raise HaltedError
        if self.round != current:
            raise RestartedError

    def piece(self, offset: int, buffer: memoryview) -> memoryview:
        """Bytes from there on, as many as are at hand; the buffer is for what has to be read again."""
        with self._changed:
            for start, data in self._recent:
                if start <= offset < start + len(data):
                    return memoryview(data)[offset - start :]
        return buffer[: self._part.read_into(buffer, offset)]

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end."""
        return self._part.read_at(offset, size)
