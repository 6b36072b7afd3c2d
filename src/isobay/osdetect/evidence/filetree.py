"""The files of an image under the names that people know, however the medium spells them."""

from __future__ import annotations

from isobay.osdetect.medium import Files

__all__ = ["MOST_TEXT", "FileTree"]

MOST_TEXT = 256 << 10  # bytes read of one file
MOST_NAMES = 100_000  # names looked at in one directory
MOST_DIRECTORIES = 64  # listed for one image; all readers together want about 30


class FileTree:
    """`Files` that finds ``.disk/info`` also as ``.DISK/INFO;1`` and as ``_DISK/INFO``.

    ISO 9660 level 1 has upper case and version numbers (ECMA-119 7.5), and mastering programs write ``_`` for the
    dot at the start of a name. Directories are listed once.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._listings: dict[str, dict[str, str]] = {}

    def _listing(self, real: str) -> dict[str, str]:
        listing = self._listings.get(real)
        if listing is None:
            listing = {}
            if len(self._listings) >= MOST_DIRECTORIES:
                return listing
            for name in self._files.names(real)[:MOST_NAMES]:
                listing.setdefault(_folded(name), name)
            self._listings[real] = listing
        return listing

    def find(self, path: str) -> str | None:
        """Return ``path`` as the medium spells it, or None where nothing is there."""
        real = ""
        for name in path.split("/"):
            found = self._listing(real).get(_folded(name))
            if found is None:
                return None
            real = f"{real}/{found}" if real else found
        return real

    def exists(self, path: str) -> bool:
        """Whether there is a file or a directory ``path``."""
        return self.find(path) is not None

    def names(self, path: str) -> list[str]:
        """Return the names in the directory ``path``, as the medium spells them."""
        real = self.find(path) if path else ""
        return list(self._listing(real).values()) if real is not None else []

    def text(self, path: str, limit: int = MOST_TEXT) -> str | None:
        """Return the start of the file ``path`` as text, or None where there is no file."""
        real = self.find(path)
        data = self._files.read(real, limit) if real is not None else None
        if data is None:
            return None
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data[:limit].decode("utf-16", "replace")
        return data[:limit].decode("utf-8-sig", "replace")

    def line(self, path: str) -> str | None:
        """Return the first line of the file ``path`` that is not empty, without control characters."""
        text = self.text(path, 4096)
        if text is None:
            return None
        lines = (line.strip() for line in text.splitlines())
        return printable(next((line for line in lines if line), ""))

    def read_at(self, path: str, offset: int, size: int) -> bytes | None:
        """Return at most ``size`` bytes of the file ``path`` from ``offset`` on, or None where there is no file."""
        real = self.find(path)
        data = self._files.read_at(real, offset, size) if real is not None else None
        return data[:size] if data is not None else None


def printable(text: str, most: int = 200) -> str:
    """Return ``text`` fit to be shown: no control characters, at most ``most`` characters."""
    return "".join(character if character.isprintable() else " " for character in text[:most]).strip()


def _folded(name: str) -> str:
    name = name.casefold().partition(";")[0].rstrip(".")
    return "." + name[1:] if name.startswith("_") else name
