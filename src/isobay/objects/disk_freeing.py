"""Deleting files without waiting until the disk has freed what they took.

ext4 takes more than a second for 8 GiB. Whoever waited for it would learn from an answer that came sooner that others
have the same image. The kernel frees a file when nobody has it open any more, however the process ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore, Thread

AT_ONCE = 32


class Freeing:
    """Frees files in threads of its own, so many at once; further ones are waited for."""

    def __init__(self) -> None:
        self._places = BoundedSemaphore(AT_ONCE)

    @contextmanager
    def later(self, path: Path) -> Iterator[None]:
        """Keep a file that is deleted within open until a thread has closed it."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # there is none, or whoever deletes it says what is wrong
            yield
            return
        try:
            yield
        finally:
            if self._places.acquire(blocking=False):
                Thread(target=self._free, args=(descriptor,), name="freeing", daemon=True).start()
            else:
                os.close(descriptor)

    def _free(self, descriptor: int) -> None:
        try:
            os.close(descriptor)
        finally:
            self._places.release()
