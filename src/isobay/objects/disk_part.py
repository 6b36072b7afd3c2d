"""An object that comes in piece by piece, as a file that survives the process and the power."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

from isobay.errors import ConflictError
from isobay.objects.disk_layout import DIRECTORY_MODE, FILE_MODE, Files, fsync_directories
from isobay.objects.disk_room import Room
from isobay.objects.disk_sidecar import Sidecar, held_sidecar, read_sidecar

FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int), share the extents of another file
ROOM_STEP = 8 << 20  # appended between two looks at what the disk has left: several parts may grow at once


class DiskPart:
    """``Part`` as a file below incoming/."""

    sync_seconds = 1.0

    def __init__(self, files: Files, room: Room, sidecar: Sidecar, descriptor: int, size: int) -> None:
        self._files = files
        self._room = room
        self._sidecar = sidecar
        self._descriptor = descriptor
        self._size = size
        self._looked_until = size
        self._lost: OSError | None = None
        # Between the threads that sync and restart: a mark must not outlive the bytes it speaks of.
        self._marking = Lock()

    @property
    def object_id(self) -> str:
        """The object's id."""
        return self._files.object_id

    @property
    def size(self) -> int:
        """Bytes. It grows when they are written, so whoever reads below it reads what was appended."""
        return self._size

    def append(self, data: bytes | memoryview) -> None:
        """Write at the end. See ``Part.append``."""
        self._look_for_room(len(data))
        left = memoryview(data)
        with self._room.refusing():
            while left:
                written = os.pwrite(self._descriptor, left, self._size)
                self._size += written
                left = left[written:]

    def clone(self, source: int) -> bool:
        """Share the extents of a whole file where the file system can; False where it cannot."""
        with self._room.refusing():
            try:
                fcntl.ioctl(self._descriptor, FICLONE, source)
            except OSError as error:
                if error.errno in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS):
                    return False
                raise
            self._size = os.fstat(self._descriptor).st_size
        return True

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill the buffer with the bytes there. See ``Part.read_into``."""
        with self._room.refusing():
            return os.preadv(self._descriptor, [buffer], offset)

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end."""
        with self._room.refusing():
            return os.pread(self._descriptor, size, offset)

    def sync(self) -> None:
        """Make durable what was appended before the call. See ``Part.sync``."""
        with self._marking, self._room.refusing():
            size = self._size
            self._flush()
            self._sidecar.record(size)

    def restart(self, size: int = 0) -> None:
        """Go back to so many bytes, durably. See ``Part.restart``."""
        with self._marking, self._room.refusing():
            self._sidecar.record(min(size, self._sidecar.synced))
            os.ftruncate(self._descriptor, size)
            self._size = self._looked_until = size

    def publish(self) -> None:
        """Make it an object, whole and durable under its id. See ``Part.publish``."""
        files = self._files
        with self._marking, self._room.refusing():
            self._flush()
            files.whole.parent.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            try:
                files.part.rename(files.whole)
            except FileNotFoundError as error:
                raise ConflictError(
                    f"Object {self.object_id} was deleted while its bytes were received.", object_id=self.object_id
                ) from error
            fsync_directories(files.whole.parent, files.whole.parent.parent, files.part.parent)

    def discard(self) -> None:
        """Delete the bytes, published or not."""
        with self._room.refusing():
            self._files.unlink()

    def _look_for_room(self, size: int) -> None:
        if self._size + size <= self._looked_until:
            return
        left = self._room.left()
        if size > left:
            raise self._room.used_up()
        self._looked_until = self._size + max(size, min(left, ROOM_STEP))

    def _flush(self) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            # The kernel says once that it lost pages, and then calls them clean.
            self._lost = error
            self._sidecar.distrust()
            raise


@contextmanager
def resumed_part(files: Files, room: Room, boot: str, check: Callable[[], object]) -> Iterator[DiskPart]:
    """Open a part, or make it. See ``Objects.resume``."""
    with ExitStack() as stack:
        with room.refusing():
            sidecar = stack.enter_context(held_sidecar(files, boot))
            check()
            descriptor, size = _opened(files, sidecar)
            stack.callback(os.close, descriptor)
        yield DiskPart(files, room, sidecar, descriptor, size)


def received_bytes(files: Files, boot: str) -> int:
    """Bytes that came for certain, whoever holds the part. Raises OSError."""
    try:
        size = files.part.stat().st_size
        sidecar = read_sidecar(files, boot)
    except FileNotFoundError:
        return files.whole.stat().st_size if files.whole.is_file() else 0
    return size if sidecar.same_boot else min(size, sidecar.synced)


def _opened(files: Files, sidecar: Sidecar) -> tuple[int, int]:
    """The part, cut to what is there for certain, and its size."""
    if files.whole.is_file():
        # All of it was durable before it was published.
        sidecar.record(files.whole.stat().st_size)
        files.whole.rename(files.part)
        fsync_directories(files.whole.parent)
    descriptor = os.open(files.part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
    try:
        size = os.fstat(descriptor).st_size
        if not sidecar.same_boot:
            size = min(size, sidecar.synced)
            os.ftruncate(descriptor, size)
            sidecar.record(size)
        fsync_directories(files.part.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, size
