"""What a directory hierarchy holds: entries and where their bytes lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from isobay.image.source import Source, damaged

__all__ = ["Entry", "Extent", "Hierarchy", "child_path", "pieces", "read_extents", "readable_name", "windows"]

WINDOW = 128 * 1024
"""Bytes of a directory read at once: one request for most directories, little memory for the largest."""


@dataclass(frozen=True, slots=True)
class Extent:
    """``size`` bytes at ``offset`` of the image; an ``offset`` of None is a hole that reads as zeros."""

    offset: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, directory, symlink or other (device, fifo, socket) in an image.

    ``path`` is absolute inside the image, ``size`` in bytes (of a directory: of its records), ``target`` a symlink's
    text, ``mode`` the POSIX mode where the image records one, ``extents`` where the content lies. ``problem`` says
    why the content cannot be read, and is empty when it can.
    """

    name: str
    path: str
    kind: str
    size: int
    target: str | None
    modified: datetime | None
    mode: int | None
    extents: tuple[Extent, ...]
    problem: str = ""


class Hierarchy(Protocol):
    """One of the directory hierarchies of an image: what Tree walks."""

    @property
    def name(self) -> str:
        """The name it is chosen by: rockridge, udf, joliet, enhanced or iso9660."""
        ...

    def root(self) -> Entry:
        """Return the root directory."""
        ...

    def children(self, directory: Entry) -> Iterator[Entry]:
        """Yield what ``directory`` holds, lazily, without itself and its parent."""
        ...

    def child(self, directory: Entry, name: str, ignore_case: bool) -> Entry | None:
        """Return the first entry called ``name``, or None."""
        ...


def child_path(directory: Entry, name: str) -> str:
    """Join a directory's path and the name of an entry in it."""
    return f"/{name}" if directory.path == "/" else f"{directory.path}/{name}"


def readable_name(text: str) -> str:
    """Make a recorded name one that can stand in a path: a slash, NUL or a name of dots becomes U+FFFD."""
    if "/" in text or "\0" in text:
        text = text.replace("/", "\ufffd").replace("\0", "\ufffd")
    return "\ufffd" * max(1, len(text)) if text in ("", ".", "..") else text


def windows(source: Source, directory: Entry, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (position, bytes) of a directory's one extent from ``start``, in pieces of at most ``WINDOW``."""
    extent = directory.extents[0]
    for position in range(start, extent.size, WINDOW):
        yield position, source.read((extent.offset or 0) + position, min(WINDOW, extent.size - position))


def pieces(source: Source, extents: tuple[Extent, ...], offset: int, size: int, chunk: int) -> Iterator[bytes]:
    """Yield ``size`` bytes from ``offset`` of the content ``extents`` make up, at most ``chunk`` at a time.

    ImageError when the extents have fewer.
    """
    for extent in extents:
        if size <= 0:
            return
        if offset >= extent.size:
            offset -= extent.size
            continue
        source.spend(1)
        end = min(extent.size, offset + size)
        while offset < end:
            step = min(chunk, end - offset)
            yield bytes(step) if extent.offset is None else source.read(extent.offset + offset, step)
            offset += step
            size -= step
        offset = 0
    if size > 0:
        raise damaged(f"Content of the image ends {size} bytes before its record says. The image is damaged.")


def read_extents(source: Source, extents: tuple[Extent, ...], offset: int, size: int) -> bytes:
    """Return ``size`` bytes from ``offset`` of the content ``extents`` make up."""
    return b"".join(pieces(source, extents, offset, size, size))
