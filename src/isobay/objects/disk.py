"""Objects as files below one directory.

    objects/incoming/<id>.part   being received; locked by the process that receives
    objects/<i>/<id>.iso         whole and durable; <i> is the first two characters of the id

A file is locked from its first byte until its ISO is in the catalogue. The lock goes with the process,
however it ends, and so tells a sweep what is being worked on from what was left behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from isobay.errors import SourceError, StorageError
from isobay.objects.interface import Examine, Progress, Received

CHUNK = 1 << 20
FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int), share the extents of another file
SPARE_BYTES = 64 << 20  # left free for the catalogue, whose rows must still fit
DIRECTORY_MODE = 0o750
FILE_MODE = 0o640
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class DiskObject:
    """An object open for reading; safe for use by several threads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end."""
        return os.pread(self._descriptor, size, offset)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class DiskObjects:
    """The store on a local disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        try:
            self._incoming.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise _no_room(root, error) from error

    @contextmanager
    def receive_file(self, path: Path, limit: int, progress: Progress, examine: Examine) -> Iterator[Received]:
        """Take a copy of a local file. See ``Objects.receive_file``."""
        object_id = str(uuid4())
        part = self._incoming / f"{object_id}.part"
        with _opened_source(path, limit) as (source, size):
            examine(lambda offset, wanted: os.pread(source, wanted, offset), size)
            self._check_room(size)
            target = self._new_part(part)
            final = self._path(object_id)
            try:
                digest = self._copy(source, target, size, path, progress)
                self._publish(target, part, final)
                yield Received(object_id, size, digest)
            except BaseException:
                with suppress(FileNotFoundError):
                    part.unlink()
                with suppress(FileNotFoundError):
                    final.unlink()
                raise
            finally:
                os.close(target)

    def open(self, object_id: str) -> DiskObject:
        """Open an object. Raises StorageError where it is missing."""
        path = self._path(object_id)
        try:
            return DiskObject(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            advice = (
                "Bring the file back from a backup, or delete the ISO and add it again."
                if missing
                else "Check the owner and rights of the file: all of isobay must run as one account."
            )
            raise StorageError(
                f"The bytes of this ISO cannot be read from {path}: {os.strerror(error.errno or 0)}. {advice}"
            ) from error

    def delete(self, object_id: str) -> None:
        """Delete an object, if it is there. Raises StorageError where it cannot be."""
        path = self._path(object_id)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be deleted: {os.strerror(error.errno or 0)}. "
                "Check the owner and rights of its directory."
            ) from error

    def sweep(self, is_needed: Callable[[str], bool]) -> int:
        """Delete what a process that died left behind. See ``Objects.sweep``."""
        left = [*self._incoming.glob("*.part"), *self._root.glob("??/*.iso")]
        return sum(
            _delete_unless_held(path, is_needed) for path in left if _ID.fullmatch(path.stem) and not path.is_symlink()
        )

    def _path(self, object_id: str) -> Path:
        if not _ID.fullmatch(object_id):
            raise StorageError(f"The catalogue names an object {object_id!r}, which is no id of ours.")
        return self._root / object_id[:2] / f"{object_id}.iso"

    def _new_part(self, part: Path) -> int:
        """Create and lock a file, again if a sweep came between the two."""
        try:
            while True:
                descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_nlink:
                    return descriptor
                os.close(descriptor)
        except OSError as error:
            raise _no_room(self._root, error) from error

    def _check_room(self, size: int) -> None:
        free = os.statvfs(self._root)
        available = free.f_bavail * free.f_frsize
        if size + SPARE_BYTES > available:
            raise StorageError(
                f"{self._root} has {available} bytes free, {SPARE_BYTES} of them kept for the catalogue, and the image "
                f"needs {size}. "
                "Make room there, or set ISOBAY_DATA_DIR to a larger disk.",
                available=available,
                needed=size,
            )

    def _copy(self, source: int, target: int, size: int, path: Path, progress: Progress) -> str:
        before = os.fstat(source)
        try:
            cloned = _clone(source, target)
            digest = sha256()
            done = 0
            while chunk := os.pread(target if cloned else source, CHUNK, done):
                digest.update(chunk)
                if not cloned:
                    _write_all(target, chunk)
                done += len(chunk)
                progress(done, size)
        except OSError as error:
            raise _no_room(self._root, error) from error
        after = os.fstat(source)
        if done != size or (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
            raise SourceError(f"{path} changed while it was copied. Add it again when nothing writes to it.")
        return digest.hexdigest()

    def _publish(self, target: int, part: Path, final: Path) -> None:
        try:
            os.fsync(target)
            final.parent.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            part.rename(final)
            for directory in (final.parent, self._root):
                _fsync_directory(directory)
        except OSError as error:
            raise _no_room(self._root, error) from error


@contextmanager
def _opened_source(path: Path, limit: int) -> Iterator[tuple[int, int]]:
    try:
        # Without O_NONBLOCK the opening of a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {os.strerror(error.errno or 0)}.") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{path} is not a regular file. Name the file of an image.")
        if status.st_size > limit:
            raise SourceError(
                f"{path} has {status.st_size} bytes, and the limit is {limit}. Raise ISOBAY_MAX_ISO_BYTES to take it."
            )
        yield descriptor, status.st_size
    finally:
        os.close(descriptor)


def _clone(source: int, target: int) -> bool:
    """Share the extents where the file system can; False where it cannot."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS):
            return False
        raise
    return True


def _write_all(target: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(target, view) :]


def _fsync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _delete_unless_held(path: Path, is_needed: Callable[[str], bool]) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Asked only now: while the file was held, its ISO may have come into the catalogue.
        if is_needed(path.stem):
            return False
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _no_room(root: Path, error: OSError) -> StorageError:
    reason = os.strerror(error.errno or 0)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"{root} is full ({reason}). Make room there, or set ISOBAY_DATA_DIR to a larger disk.")
    return StorageError(f"{root} cannot take the image: {reason}. Check the disk and the rights of the directory.")
