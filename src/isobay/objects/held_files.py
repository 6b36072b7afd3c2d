"""Holding objects on one machine: a file for each that is held, and the kernel's lock on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from isobay.errors import StorageError
from isobay.objects.file_lock import locked_file
from isobay.objects.object_ids import checked


class HeldFiles:
    """Holds objects for the processes that share a directory; the lock goes with the process, however it ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def __call__(self, object_id: str) -> Iterator[Callable[[], object]]:
        """Hold one. Raises ConflictError at once where somebody else does. What it gives never raises."""
        path = self._directory / checked(object_id)
        try:
            self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
            descriptor = locked_file(path, object_id)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be locked: {os.strerror(error.errno or 0)}. Check the disk and its rights.",
                public="The image cannot be received now. Ask whoever runs isobay: its log says why.",
            ) from error
        try:
            yield lambda: None
        finally:
            path.unlink(missing_ok=True)
            os.close(descriptor)
