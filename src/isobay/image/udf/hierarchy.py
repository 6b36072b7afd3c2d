"""Directories of UDF: file identifier descriptors (ECMA-167 4/14.4) and the entries they name."""

from __future__ import annotations

from collections.abc import Iterator

from isobay.image.entry import Entry, child_path, pieces, read_extents, readable_name
from isobay.image.source import Source, damaged
from isobay.image.udf.allocation import Icb, read_icb
from isobay.image.udf.descriptors import check_tag, identifier_text
from isobay.image.udf.volume import UdfVolume

__all__ = ["UdfHierarchy"]

FILE_IDENTIFIER_TAG = 257
DIRECTORY_FLAG, DELETED_FLAG, PARENT_FLAG = 2, 4, 8
WINDOW = 64 * 1024
"""Bytes of a directory read at once."""

LONGEST_LINK = 4096
_KINDS = {0: "file", 4: "directory", 5: "file", 12: "symlink", 249: "file"}


class UdfHierarchy:
    """The hierarchy of a UDF volume's file set."""

    __slots__ = ("_root", "_source", "_volume", "name")

    def __init__(self, source: Source, volume: UdfVolume) -> None:
        self.name = "udf"
        self._source = source
        self._volume = volume
        self._root: Entry | None = None

    def root(self) -> Entry:
        """Return the root directory, as the file set descriptor gives it."""
        if self._root is None:
            icb = read_icb(self._volume.partitions, *self._volume.root)
            if icb.file_type != 4:
                raise damaged("The root of the UDF volume is not a directory. The image is damaged.")
            self._root = Entry("", "/", "directory", icb.size, None, icb.modified, icb.mode, icb.extents)
        return self._root

    def children(self, directory: Entry) -> Iterator[Entry]:
        """Yield the entries of a directory; each costs a look at its own file entry."""
        for descriptor in self._descriptors(directory):
            self._source.spend(10)
            check_tag(descriptor, FILE_IDENTIFIER_TAG)
            if not descriptor[18] & (DELETED_FLAG | PARENT_FLAG):
                yield self._entry(directory, descriptor)

    def child(self, directory: Entry, name: str, ignore_case: bool) -> Entry | None:
        """Return the first entry called ``name``."""
        wanted = name.lower() if ignore_case else name
        needles = {b"\x10" + wanted.encode("utf-16-be", "surrogatepass")}
        if all(ord(letter) < 256 for letter in wanted):
            needles.add(b"\x08" + wanted.encode("latin-1"))
        decode_all = "\ufffd" in wanted or (ignore_case and not wanted.isascii())
        for descriptor in self._descriptors(directory):
            if descriptor[18] & (DELETED_FLAG | PARENT_FLAG):
                continue
            identifier = _identifier(descriptor)
            if decode_all:
                self._source.spend(2)
                text = readable_name(identifier_text(identifier))
                if (text.lower() if ignore_case else text) != wanted:
                    continue
            elif (identifier.lower() if ignore_case else identifier) not in needles:
                continue
            check_tag(descriptor, FILE_IDENTIFIER_TAG)
            return self._entry(directory, descriptor)
        return None

    def _descriptors(self, directory: Entry) -> Iterator[bytes]:
        """Yield the bytes of each file identifier descriptor; they may cross blocks and extents."""
        left = b""
        for piece in pieces(self._source, directory.extents, 0, directory.size, WINDOW):
            data = left + piece
            at = count = 0
            while at + 38 <= len(data):
                if data[at : at + 2] != b"\x01\x01":
                    raise damaged("A UDF directory holds something else than file identifiers. The image is damaged.")
                use_size = data[at + 36] | data[at + 37] << 8
                end = at + (38 + use_size + data[at + 19] + 3 & ~3)
                if end > len(data):
                    break
                yield data[at:end]
                at = end
                count += 1
            # counted by the piece, for looking at one costs less than counting it
            self._source.spend(1 + count // 2)
            left = data[at:]
        if left.strip(b"\0"):
            raise damaged("A UDF directory ends within a file identifier. The image is damaged.")

    def _entry(self, directory: Entry, descriptor: bytes) -> Entry:
        name = readable_name(identifier_text(_identifier(descriptor)))
        block = int.from_bytes(descriptor[24:28], "little")
        reference = int.from_bytes(descriptor[28:30], "little")
        icb = read_icb(self._volume.partitions, reference, block)
        kind = _KINDS.get(icb.file_type, "other")
        if (kind == "directory") != bool(descriptor[18] & DIRECTORY_FLAG):
            raise damaged(f"The UDF volume disagrees with itself on whether {name[:200]!r} is a directory.")
        target = self._link_target(icb) if kind == "symlink" else None
        return Entry(name, child_path(directory, name), kind, icb.size, target, icb.modified, icb.mode, icb.extents)

    def _link_target(self, icb: Icb) -> str:
        """Read the path components of a symlink (ECMA-167 4/14.16)."""
        data = read_extents(self._source, icb.extents, 0, min(icb.size, LONGEST_LINK))
        parts: list[str] = []
        at = 0
        while at + 4 <= len(data):
            kind, length = data[at], data[at + 1]
            text = identifier_text(data[at + 4 : at + 4 + length])
            part = {1: "", 2: "", 3: "..", 4: "."}.get(kind, text)
            parts = [""] if kind in (1, 2) else [*parts, part]
            at += 4 + length
        return "/" if parts == [""] else "/".join(parts)


def _identifier(descriptor: bytes) -> bytes:
    start = 38 + (descriptor[36] | descriptor[37] << 8)
    return descriptor[start : start + descriptor[19]]
