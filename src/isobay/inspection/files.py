"""The files of an image, as the search for its operating system wants them."""

from __future__ import annotations

from itertools import islice

from isobay.errors import ImageError
from isobay.image import Image

NAMES_LIMIT = 5_000  # evidence lies in small directories; a large one is a package pool


class ImageFiles:
    """``osdetect.Files`` over an image; an image without a readable tree has no files."""

    def __init__(self, image: Image) -> None:
        self._image = image

    def names(self, path: str) -> list[str]:
        """The names in a directory, or nothing where there is none."""
        try:
            return [entry.name for entry in islice(self._image.entries(f"/{path}"), NAMES_LIMIT)]
        except ImageError:
            return []

    def read(self, path: str, limit: int) -> bytes | None:
        """The first bytes of a file, or None where there is none that can be read."""
        return self.read_at(path, 0, limit)

    def read_at(self, path: str, offset: int, size: int) -> bytes | None:
        """Some bytes of a file, or None where there is none that can be read."""
        try:
            return self._image.read(f"/{path}", offset, size)
        except ImageError:
            return None
