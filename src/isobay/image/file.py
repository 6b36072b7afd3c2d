"""Disk images in local files: the one place of this room that opens anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isobay.image.image import Image, open_image

__all__ = ["open_path"]


@contextmanager
def open_path(path: str | os.PathLike[str], *, allow_truncated: bool = False) -> Iterator[Image]:
    """Open the image in a file for as long as the ``with`` block lasts. OSError and ImageError pass through."""
    descriptor = os.open(Path(path), os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        yield open_image(lambda offset, count: _pread(descriptor, offset, count), size, allow_truncated=allow_truncated)
    finally:
        os.close(descriptor)


def _pread(descriptor: int, offset: int, count: int) -> bytes:
    # one pread may return less than asked, at 2 GiB and on some network file systems
    data = os.pread(descriptor, count, offset)
    while len(data) < count and (more := os.pread(descriptor, count - len(data), offset + len(data))):
        data += more
    return data
