"""Objects as files below one directory: see ``disk_layout``.

An object is held from its first byte until its ISO is in the catalogue. The lock goes with the process, however
it ends, and so tells a sweep what is being worked on from what was left behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from isobay.errors import ConflictError, MissingObjectError, StorageError
from isobay.objects.copying import received_file
from isobay.objects.disk_freeing import Freeing
from isobay.objects.disk_layout import DIRECTORY_MODE, INCOMING, Files, stored_ids
from isobay.objects.disk_part import DiskPart, received_bytes, resumed_part
from isobay.objects.disk_room import Room
from isobay.objects.disk_sidecar import boot_id, held_sidecar
from isobay.objects.interface import MISSING, Examine, Progress, Received, Stored


class DiskObject:
    """An object open for reading; safe for use by several threads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.file = descriptor
        self.size = os.fstat(descriptor).st_size

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end."""
        return os.pread(self._descriptor, size, offset)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class DiskObjects:
    """The store on a local disk. ``boot`` is the id of this boot of the machine; None asks the kernel."""

    gives_links = False

    def __init__(self, root: Path, boot: str | None = None) -> None:
        self._root = root
        self._boot = boot_id() if boot is None else boot
        self._room = Room(root)
        self._freeing = Freeing()
        with self._room.refusing():
            (root / INCOMING).mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)

    def receive_file(
        self, path: Path, limit: int, progress: Progress, examine: Examine
    ) -> AbstractContextManager[Received]:
        """Take a copy of a local file. See ``Objects.receive_file``."""
        return received_file(self, path, limit, progress, examine)

    def resume(self, object_id: str, check: Callable[[], object] = lambda: None) -> AbstractContextManager[DiskPart]:
        """Open a part to go on with it, or make it. See ``Objects.resume``."""
        return resumed_part(Files.of(self._root, object_id), self._room, self._boot, check)

    def received(self, object_id: str) -> int:
        """Bytes that came of an object. See ``Objects.received``."""
        files = Files.of(self._root, object_id)
        with self._room.refusing():
            return received_bytes(files, self._boot)

    def room(self) -> int:
        """Bytes that may still be taken."""
        return self._room.left()

    def check_room(self, size: int, promised: int = 0) -> None:
        """Raise StorageError where there is no room. See ``Objects.check_room``."""
        self._room.check(size, promised)

    def open(self, object_id: str) -> DiskObject:
        """Open an object. See ``Objects.open``."""
        path = Files.of(self._root, object_id).whole
        try:
            return DiskObject(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))
        except OSError as error:
            raise _unreadable(path, error) from error

    def path(self, object_id: str) -> Path:
        """The file that holds an object. See ``Objects.path``."""
        path = Files.of(self._root, object_id).whole
        try:
            path.lstat()
        except OSError as error:
            raise _unreadable(path, error) from error
        return path.absolute()

    def link(self, object_id: str, disposition: str, seconds: int) -> str:  # noqa: ARG002 -- the seam's
        """Nobody but isobay gives the bytes of a file."""
        return ""

    def stored(self) -> Iterator[Stored]:
        """Every object and part. See ``Objects.stored``."""
        with self._room.refusing():
            for object_id in stored_ids(self._root):
                files = Files.of(self._root, object_id)
                size = received_bytes(files, self._boot)
                if files.exist():
                    yield Stored(object_id, size, not files.part.exists() and files.whole.exists())

    def delete(self, object_id: str) -> None:
        """Delete an object or a part, if it is there. Raises StorageError where it cannot be."""
        files = Files.of(self._root, object_id)
        try:
            with self._freeing.later(files.whole):
                files.unlink()
        except OSError as error:
            raise StorageError(
                f"{error.filename} cannot be deleted: {os.strerror(error.errno or 0)}. "
                "Check the owner and rights of its directory.",
                public="The disk does not let the image go. Ask whoever runs isobay: its log says why.",
            ) from error

    def sweep(self, is_needed: Callable[[str], bool]) -> int:
        """Delete what a process that died left behind. See ``Objects.sweep``."""
        return sum(self._delete_unless_held(Files.of(self._root, found), is_needed) for found in stored_ids(self._root))

    def _delete_unless_held(self, files: Files, is_needed: Callable[[str], bool]) -> bool:
        # A needed object wants no sidecar; who died after the row was written left one, and holding it takes it away.
        if is_needed(files.object_id) and (files.part.exists() or not files.sidecar.exists()):
            return False
        try:
            with self._room.refusing(), held_sidecar(files, self._boot):
                # Asked again: while it was held, its ISO may have come into the catalogue.
                needed = is_needed(files.object_id)
                if not needed:
                    files.unlink()
        except ConflictError:
            return False
        return not needed


def _unreadable(path: Path, error: OSError) -> StorageError:
    if isinstance(error, FileNotFoundError):
        return MissingObjectError(
            f"The bytes of this ISO are not in {path} any more. "
            "Bring the file back from a backup, or delete the ISO and add it again.",
            public=MISSING,
        )
    return StorageError(
        f"The bytes of this ISO cannot be read from {path}: {os.strerror(error.errno or 0)}. "
        "Check the owner and rights of the file: all of isobay must run as one account.",
        public="The disk does not give the bytes of this ISO. Ask whoever runs isobay: its log says why.",
    )
