"""How much the disk may still take, and what is said where it takes no more."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isobay.errors import StorageError
from isobay.telemetry import logs

SPARE_BYTES = 64 << 20  # left free for the catalogue, whose rows must still fit
_LOGGED = "Whoever runs this service finds the place and what it has left in the log."


class Room:
    """The disk below one directory.

    Who uploads or imports is told what it refuses, too: so the sentences name no path and no number of free bytes,
    from which an environment could learn what others keep. These are logged.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def left(self) -> int:
        """Bytes that may still be taken. Raises StorageError where the disk does not say."""
        return max(0, self._free() - SPARE_BYTES)

    def check(self, size: int, promised: int = 0) -> None:
        """Raise StorageError where an image of ``size`` bytes leaves less than the spare and the promised ones."""
        free = self._free()
        if size + SPARE_BYTES + promised <= free:
            return
        if not size:
            raise self.used_up()
        self._log("no room for an image", needed=size, free=free, promised=promised)
        raise StorageError(f"The disk has no room for {size} bytes more. {_LOGGED}", needed=size)

    def used_up(self) -> StorageError:
        """What to say where the spare bytes would have to be taken."""
        self._log("the disk is full", free=self._free())
        return StorageError(f"The disk is full. {_LOGGED}")

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Say as a StorageError what the disk refuses within."""
        try:
            yield
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> StorageError:
        reason = os.strerror(error.errno or 0)
        self._log("the disk refuses", reason=reason, place=error.filename or "")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StorageError(f"The disk is full ({reason}). {_LOGGED}")
        if error.errno == errno.EFBIG:
            return StorageError(
                f"The disk cannot take a file of this size ({reason}). "
                "Use a file system that takes larger ones, or raise the process's limit (ulimit -f)."
            )
        return StorageError(f"The disk cannot take the image: {reason}. {_LOGGED}")

    def _log(self, event: str, **fields: object) -> None:
        advice = "make room there, or set ISOBAY_DATA_DIR to a larger disk; check the directory's rights"
        logs.error(event, directory=str(self._root), kept=SPARE_BYTES, advice=advice, **fields)

    def _free(self) -> int:
        with self.refusing():
            found = os.statvfs(self._root)
        return found.f_bavail * found.f_frsize
