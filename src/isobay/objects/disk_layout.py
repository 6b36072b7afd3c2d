"""Where the files of an object lie below the store's directory.

incoming/<id>.part     being received
incoming/<id>.synced   held by who receives; how much of the part is on the disk for certain
<i>/<id>.iso           whole and durable; <i> is the first two characters of the id
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from isobay.objects.object_ids import checked, is_id

DIRECTORY_MODE = 0o750
FILE_MODE = 0o640
INCOMING = "incoming"


class Files(Struct, frozen=True):
    """The paths of one object."""

    object_id: str
    part: Path
    sidecar: Path
    whole: Path

    @classmethod
    @lru_cache(1024)  # a path costs more to put together than a file to open
    def of(cls, root: Path, object_id: str) -> Files:
        """Those of this id. Raises StorageError for what is no id, before a path is made of it."""
        incoming = root / INCOMING
        return cls(
            object_id=checked(object_id),
            part=incoming / f"{object_id}.part",
            sidecar=incoming / f"{object_id}.synced",
            whole=root / object_id[:2] / f"{object_id}.iso",
        )

    def exist(self) -> bool:
        """Whether there is any of them."""
        return any(path.exists() for path in (self.part, self.whole, self.sidecar))

    def unlink(self) -> None:
        """Delete them all. Raises OSError."""
        # In the order in which a part is published, so that one published meanwhile does not slip through,
        # and the sidecar last: it is the lock.
        for path in (self.part, self.whole, self.sidecar):
            path.unlink(missing_ok=True)


def stored_ids(root: Path) -> set[str]:
    """The ids of all objects and parts; what is named otherwise, and links, are not ours."""
    found = [*(root / INCOMING).glob("*.part"), *(root / INCOMING).glob("*.synced"), *root.glob("??/*.iso")]
    return {path.stem for path in found if is_id(path.stem) and not path.is_symlink()}


def fsync_directories(*paths: Path) -> None:
    """Make the names in them durable. Raises OSError."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
