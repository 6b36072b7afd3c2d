"""Names to entries and entries to bytes, for any hierarchy: list, stat, read, walk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from isobay.errors import ImageError
from isobay.image.entry import Entry, Hierarchy, pieces, read_extents
from isobay.image.source import Source, damaged

__all__ = ["READ_LIMIT", "Tree"]

READ_LIMIT = 8 * 1024 * 1024
"""Bytes ``read`` returns at most when no size is asked for, and at all: larger content goes through ``content``."""

MOST_LINKS = 40
"""Symlinks followed for one path, as Linux does (path_resolution(7))."""

MOST_COMPONENTS = 255
"""Names in a path, those of followed links included: deeper trees do not exist on real media."""

WALK_MEMORY = 16 * 1024 * 1024
"""Bytes, roughly, a walk may remember of directories it has still to enter or has seen: some 30,000 of them."""

KEPT_DIRECTORIES = 128
"""Directories remembered by path, so that many questions about one directory find it at once."""


class Tree:
    """One hierarchy of an image by path. "/" is the root of the image; nothing outside can be reached.

    Every method raises ImageError for a path that is not there (reason ``not-found``) and for damage.
    """

    __slots__ = ("_directories", "_hierarchy", "_source")

    def __init__(self, source: Source, hierarchy: Hierarchy) -> None:
        self._source = source
        self._hierarchy = hierarchy
        self._directories: dict[tuple[str, bool], Entry] = {}

    @property
    def name(self) -> str:
        """Which hierarchy this is: rockridge, udf, joliet, enhanced or iso9660."""
        return self._hierarchy.name

    def stat(self, path: str, *, ignore_case: bool = False) -> Entry:
        """Return what ``path`` is, symlinks followed. ``ignore_case`` compares ASCII letters without case."""
        self._source.begin()
        return self._resolve(path, True, ignore_case)

    def lstat(self, path: str, *, ignore_case: bool = False) -> Entry:
        """Return what ``path`` is; a symlink at its end is not followed."""
        self._source.begin()
        return self._resolve(path, False, ignore_case)

    def find(self, path: str, *, ignore_case: bool = False) -> Entry | None:
        """Return what ``path`` is, or None when there is no such path."""
        try:
            return self.stat(path, ignore_case=ignore_case)
        except ImageError as error:
            if error.context.get("reason") != "not-found":
                raise
            return None

    def entries(self, path: str = "/") -> Iterator[Entry]:
        """Yield what the directory holds, in recorded order, lazily: nothing is kept but the current piece."""
        directory = self.stat(path)
        if directory.kind != "directory":
            raise _not_found(path, "is not a directory")
        for entry in self._hierarchy.children(directory):
            yield entry
            self._source.begin()

    def walk(self, path: str = "/") -> Iterator[Entry]:
        """Yield everything below ``path``, a directory before what it holds, each directory once: loops end.

        ImageError ``too-complex`` when there are more directories than ``WALK_MEMORY`` allows.
        """
        start = self.stat(path)
        waiting = [start] if start.kind == "directory" else []
        seen = {start.extents}
        remembered = 0
        while waiting:
            for entry in self._hierarchy.children(waiting.pop()):
                yield entry
                self._source.begin()
                if entry.kind == "directory" and entry.extents not in seen:
                    seen.add(entry.extents)
                    remembered += 500 + len(entry.path) + 100 * len(entry.extents)
                    if remembered > WALK_MEMORY:
                        raise damaged("The image has more directories than can be walked at once.", "too-complex")
                    if entry.path.count("/") <= MOST_COMPONENTS:
                        waiting.append(entry)

    def read(self, path: str, offset: int = 0, size: int | None = None) -> bytes:
        """Return up to ``size`` bytes of a file from ``offset``; without a size, all of it up to ``READ_LIMIT``.

        ImageError ``too-large`` when more than ``READ_LIMIT`` bytes would be returned.
        """
        entry = self._file(path)
        wanted = max(0, entry.size - offset) if size is None else max(0, min(size, entry.size - offset))
        if wanted > READ_LIMIT:
            raise damaged(
                f"{path} would give {wanted} bytes at once; at most {READ_LIMIT} are. Read it in pieces.",
                "too-large",
                path=path,
            )
        return read_extents(self._source, entry.extents, offset, wanted)

    def content(self, path: str, chunk: int = 1024 * 1024) -> Iterator[bytes]:
        """Yield a file's bytes in pieces of at most ``chunk`` bytes."""
        entry = self._file(path)
        for piece in pieces(self._source, entry.extents, 0, entry.size, max(1, min(chunk, READ_LIMIT))):
            yield piece
            self._source.begin()

    def _file(self, path: str) -> Entry:
        entry = self.stat(path)
        if entry.kind != "file":
            raise _not_found(path, f"is no file ({entry.kind})")
        if entry.problem:
            raise damaged(f"{path} cannot be read: {entry.problem}.", "unsupported", path=path)
        return entry

    def _resolve(self, path: str, follow: bool, ignore_case: bool) -> Entry:
        waiting = deque(path.split("/"))
        stack = [self._hierarchy.root()]
        links = steps = 0
        while waiting:
            part = waiting.popleft()
            if part in ("", "."):
                continue
            steps += 1
            if steps > MOST_COMPONENTS or len(waiting) > MOST_COMPONENTS:
                raise damaged(f"The path {path[:200]!r} is deeper than any in a real image.", "too-complex")
            if part == "..":
                stack = stack[:-1] or stack
                continue
            entry = self._child(stack[-1], part, ignore_case, path)
            if entry.kind == "symlink" and (follow or waiting):
                links += 1
                if links > MOST_LINKS:
                    raise damaged(f"The symlinks at {path[:200]!r} in the image lead in a circle.", "loop")
                target = entry.target or ""
                if target.startswith("/"):
                    stack = stack[:1]
                waiting.extendleft(reversed(target.split("/")))
                continue
            stack.append(entry)
        return stack[-1]

    def _child(self, directory: Entry, name: str, ignore_case: bool, path: str) -> Entry:
        if directory.kind != "directory":
            raise _not_found(path, f"is not there: {directory.path} is not a directory")
        key = (f"{directory.path}/{name}", ignore_case)
        known = self._directories.get(key)
        if known is not None:
            return known
        entry = self._hierarchy.child(directory, name, ignore_case)
        if entry is None:
            raise _not_found(path, "is not there")
        if entry.kind == "directory":
            if len(self._directories) >= KEPT_DIRECTORIES:
                self._directories.clear()
            self._directories[key] = entry
        return entry


def _not_found(path: str, what: str) -> ImageError:
    return damaged(f"{path[:200]} {what} in the image. List its directory to see what is.", "not-found", path=path)
