"""The corpus of real media: ``isoinfo -d`` of each, in a directory named after libosinfo's short id."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from isobay.osdetect import Medium

SHARED = Path(os.environ.get("ISOBAY_SHARED") or Path(__file__).parents[3] / "shared")
CORPUS = SHARED / "data" / "isodata.tar.xz"
DATABASE = SHARED / "data" / "osinfo-db-20260517.tar.xz"
TO_ISO = SHARED / "tools" / "isodump_to_iso.py"
ABSENT = f"the corpus of real media is not here: {CORPUS} and its rules are needed"


@dataclass(frozen=True, slots=True)
class Dump:
    """One medium: where its text lies in the corpus, the short ids that its directories name, and the text."""

    path: str
    expected: tuple[str, ...]
    text: str

    @property
    def medium(self) -> Medium:
        """The descriptor's fields, read from the lines ``Name: value`` and ``Name is: value``."""
        fields: dict[str, str] = {}
        for line in self.text.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith(" "):
                fields.setdefault(name.strip(), value.strip())
        return Medium(
            fields["Volume id"],
            fields["System id"],
            fields["Publisher id"],
            fields["Application id"],
            int(fields["Volume size is"]) * int(fields["Logical block size is"]),
        )


def dumps() -> Iterator[Dump]:
    """Yield every medium of the corpus, ``isodata/VENDOR/SHORT_ID/FILE.txt``, in the order of the paths."""
    with tarfile.open(CORPUS) as corpus:
        found = {
            member.name: corpus.extractfile(member).read().decode("utf-8", "replace")  # type: ignore[union-attr] # a file
            for member in corpus
            if member.isfile() and member.name.endswith(".txt")
        }
    for path, text in sorted(found.items()):
        yield Dump(path, PurePosixPath(path).parts[1:-1], text)
