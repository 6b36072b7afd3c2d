"""A file as a lock that goes with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from isobay.errors import ConflictError

LOCK_MODE = 0o640


def locked_file(path: Path, object_id: str) -> int:
    """Make or open a file and lock it, without waiting: its descriptor, which has the lock until it is closed.

    The one who has the lock may delete the file. Raises ConflictError where somebody else has it, and OSError.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, LOCK_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before may have deleted it between the two calls.
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise ConflictError(
                f"The bytes of object {object_id} are being received by another process. Try again when it has ended.",
                object_id=object_id,
            ) from error
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
