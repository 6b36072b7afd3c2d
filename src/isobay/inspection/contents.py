"""What is inside an image, as the API tells it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import islice

from msgspec import Struct

from isobay.errors import InvalidFieldsError, NotFoundError
from isobay.image import Entry, Image
from isobay.model import IsoFile


class Content(Struct, frozen=True):
    """A file of an image, opened: its name, its size in bytes, and its bytes, in pieces or by (offset, size)."""

    name: str
    size: int
    chunks: Generator[bytes]
    read_at: Callable[[int, int], bytes]


def files_of(image: Image, path: str, limit: int) -> list[IsoFile]:
    """What a directory holds, at most ``limit`` entries of it.

    Raises NotFoundError for a path that the image lacks, InvalidFieldsError for one that is no directory.
    """
    _entry(image, path, "directory")
    return [_file(entry) for entry in islice(image.entries(path), limit)]


def content_of(image: Image, path: str) -> Content:
    """A file; its bytes are read while they are drawn.

    Raises NotFoundError for a path that the image lacks, InvalidFieldsError for one that is no file.
    """
    entry = _entry(image, path, "file")
    chunks = (chunk for chunk in image.content(path))
    return Content(entry.name, entry.size, chunks, lambda offset, size: image.read(path, offset, size))


def _entry(image: Image, path: str, kind: str) -> Entry:
    entry = image.find(path)
    if entry is None:
        raise NotFoundError(f"The image holds nothing at {path!r}.", type="files", id=path)
    if entry.kind != kind:
        raise InvalidFieldsError({"path": f"names a {entry.kind} in the image, and a {kind} is wanted"})
    return entry


def _file(entry: Entry) -> IsoFile:
    modified = entry.modified.strftime("%Y-%m-%dT%H:%M:%SZ") if entry.modified else ""
    kind = entry.kind if entry.kind in ("file", "directory", "symlink") else "other"
    return IsoFile(
        name=entry.name,
        path=entry.path,
        type=kind,  # type: ignore[arg-type] # narrowed to the literals in the line above
        size=entry.size,
        modified=modified,
        target=entry.target or "",
    )
