"""The cache of the rules: one file of JSON under a line that says what it was made from.

JSON, because reading it can run nothing; the first line holds the fingerprint of the sources and a digest of the
rest, so a file that is old, cut short or altered by accident is known and made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

from isobay.osdetect.locations import RuleFile

__all__ = ["Tables", "fingerprint", "read", "write"]

FORMAT = 1  # to be raised when the rows change
LARGEST = 64 << 20  # bytes


class Tables(TypedDict):
    """The rows of `parse.Rows`, as JSON keeps them."""

    systems: list[list[Any]]
    media: list[list[Any]]
    trees: list[list[Any]]


def fingerprint(directories: Sequence[Path], files: Sequence[Sequence[RuleFile]]) -> str:
    """Return a digest of which files there are, where, how large and since when: another one, other rules."""
    told = [str(FORMAT)]
    for directory, found in zip(directories, files, strict=True):
        told.append(str(directory))
        told.extend(f"{file.name}\0{file.size}\0{file.modified}" for file in found)
    return _digest("\n".join(told).encode("utf-8", "surrogateescape"))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read(path: Path, expected: str) -> Tables | None:
    """Return the rows kept in ``path``, or None unless they are whole and made from the sources ``expected``."""
    try:
        with path.open("rb") as file:
            head = file.readline(200).split()
            body = file.read(LARGEST)
    except OSError:
        return None
    if head != [expected.encode(), _digest(body).encode()]:
        return None
    try:
        tables: Tables = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return tables


def write(path: Path, made_from: str, tables: Tables) -> None:
    """Keep the rows in ``path``, in one step; where the file cannot be written there is no cache, and no error."""
    body = json.dumps(tables, separators=(",", ":"), ensure_ascii=False).encode()
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(f"{made_from} {_digest(body)}\n".encode() + body)
        Path(temporary).replace(path)
    except OSError:
        with suppress(OSError):
            if temporary:
                Path(temporary).unlink()
