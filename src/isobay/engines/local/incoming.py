"""Bytes on their way in: one thread brings them, another follows, and either may find that they begin anew."""

from __future__ import annotations

from threading import Condition

from isobay.objects import Part
from isobay.transfer.client import HaltedError

GATHERED = 1 << 20  # libcurl gives 16 KiB at a time, which are too many writes and wake-ups


class RestartedError(Exception):
    """The bytes begin anew: what was made of the earlier ones is of no use."""


class Incoming:
    """A part that is fetched into, and whoever waits for more of it. What comes is gathered before it is written."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._gathered = bytearray()
        self._changed = Condition()
        self._is_whole = False
        self._is_halted = False
        self.round = 0

    @property
    def size(self) -> int:
        """Bytes that came."""
        with self._changed:
            return self._part.size + len(self._gathered)

    def append(self, data: bytes) -> None:
        """Take more at the end. Raises HaltedError when no more is wanted, StorageError."""
        with self._changed:
            if self._is_halted:
                raise HaltedError
            self._gathered += data
            if len(self._gathered) >= GATHERED:
                self.write()

    def write(self) -> None:
        """Write what was gathered. Raises StorageError, and then nothing more will come."""
        with self._changed:
            if not self._gathered or self._is_halted:
                return
            try:
                self._part.append(memoryview(self._gathered))
            except BaseException:
                self._is_halted = True
                raise
            finally:
                self._gathered = bytearray()
                self._changed.notify_all()

    def restart(self) -> None:
        """Forget all of it."""
        with self._changed:
            self.round += 1
            self._gathered = bytearray()
            self._part.restart()
            self._changed.notify_all()

    def finish(self) -> None:
        """All of it is there."""
        with self._changed:
            self.write()
            self._is_whole = True
            self._changed.notify_all()

    def halt(self) -> None:
        """Nothing more will come, though it is not whole."""
        with self._changed:
            try:
                self.write()
            finally:
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

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill the buffer with the bytes there; how many."""
        return self._part.read_into(buffer, offset)

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end."""
        return self._part.read_at(offset, size)
