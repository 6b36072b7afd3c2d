"""Taking a copy of a local file, into any store."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from isobay.errors import SourceError
from isobay.objects.interface import Examine, Objects, Part, Progress, Received

CHUNK = 1 << 20


@contextmanager
def received_file(objects: Objects, path: Path, limit: int, progress: Progress, examine: Examine) -> Iterator[Received]:
    """Take a copy of a local file. See ``Objects.receive_file``."""
    with _opened_source(path, limit) as (source, size):
        examine(lambda offset, wanted: os.pread(source, wanted, offset), size)
        objects.check_room(size)
        with objects.resume(str(uuid4())) as part:
            try:
                digest = _copy(source, part, size, path, progress)
                part.publish()
                yield Received(part.object_id, size, digest)
            except BaseException:
                part.discard()
                raise


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


def _copy(source: int, part: Part, size: int, path: Path, progress: Progress) -> str:
    """Copy an open file and return its SHA-256."""
    before = os.fstat(source)
    cloned = part.clone(source)
    digest = sha256()
    done = 0
    while chunk := part.read_at(done, CHUNK) if cloned else _read(source, done, path):
        digest.update(chunk)
        if not cloned:
            part.append(chunk)
        done += len(chunk)
        progress(done, size)
    after = os.fstat(source)
    if done != size or (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise SourceError(f"{path} changed while it was copied. Add it again when nothing writes to it.")
    return digest.hexdigest()


def _read(source: int, offset: int, path: Path) -> bytes:
    try:
        return os.pread(source, CHUNK, offset)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {os.strerror(error.errno or 0)}.") from error
