"""How much the disk may still take, and what is said where it takes no more."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isobay.errors import StorageError

SPARE_BYTES = 64 << 20  # left free for the catalogue, whose rows must still fit
_FULL = "Make room there, or set ISOBAY_DATA_DIR to a larger disk."


class Room:
    """The disk below one directory."""

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
        others = f", {promised} are promised to others that are still arriving" if promised else ""
        raise StorageError(
            f"{self._root} has {free} bytes free, {SPARE_BYTES} of them kept for the catalogue{others}, and the image "
            f"needs {size}. {_FULL}",
            available=free,
            needed=size,
        )

    def used_up(self) -> StorageError:
        """What to say where the spare bytes would have to be taken."""
        free = self._free()
        return StorageError(
            f"{self._root} is full: it has {free} bytes free, and {SPARE_BYTES} are kept for the catalogue. {_FULL}",
            available=free,
        )

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Say as a StorageError what the disk refuses within."""
        try:
            yield
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> StorageError:
        reason = os.strerror(error.errno or 0)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StorageError(f"{self._root} is full ({reason}). {_FULL}")
        if error.errno == errno.EFBIG:
            return StorageError(
                f"{self._root} cannot take a file of this size ({reason}). "
                "Use a file system that takes larger ones, or raise the process's limit (ulimit -f)."
            )
        return StorageError(
            f"{self._root} cannot take the image: {reason}. Check the disk and the rights of the directory."
        )

    def _free(self) -> int:
        with self.refusing():
            found = os.statvfs(self._root)
        return found.f_bavail * found.f_frsize
