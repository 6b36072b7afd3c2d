"""What the files inside an image say about it: one small reader for each kind of file.

A reader takes a `FileTree` and returns a `Finding` or None. It reads at most 256 KiB of a file, believes nothing,
and raises nothing of its own: text that makes no sense is no evidence.
"""

from __future__ import annotations

from collections.abc import Callable

from isobay.errors import IsobayError
from isobay.osdetect.evidence.filetree import FileTree
from isobay.osdetect.evidence.finding import Finding

__all__ = ["FileTree", "Finding", "gather"]

Reader = Callable[[FileTree], Finding | None]


def gather(tree: FileTree, readers: tuple[Reader, ...]) -> tuple[list[Finding], list[str]]:
    """Ask every reader, the most authoritative first; return what they found, and sentences on what was damaged."""
    found: list[Finding] = []
    damaged: list[str] = []
    for reader in readers:
        try:
            finding = reader(tree)
        except IsobayError as error:
            sentence = f"A part of the image could not be read: {error.message}"
            if sentence not in damaged:
                damaged.append(sentence)
        else:
            if finding is not None:
                found.append(finding)
    return found, damaged
