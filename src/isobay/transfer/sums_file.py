"""Checksum files: what SHA256SUMS, CHECKSUM or x.iso.sha256 promise of an image.

Read are the lines of GNU coreutils (``sha256sum``, also escaped and ``--tag``) and of BSD's ``sha256``, Gentoo's
``# SHA512 HASH`` headings over them, and a digest alone. All else is passed over, so OpenPGP's and signify's frames
and comments may stand around the lines; whether a signature holds is the business of ``signatures``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from isobay.errors import ChecksumError
from isobay.transfer.checksums import HEX_DIGITS, Checksum, checksum_of

MAX_SUMS_BYTES = 1 << 20
_LISTED = 5
_SHOWN = 120
_TAGGED = re.compile(r"(\\?)([0-9A-Za-z/-]{1,16}) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})")
_PLAIN = re.compile(r"(\\?)([0-9A-Fa-f]{32,128})(?:[ \t]+\*?([^ \t].*))?")
_HEADING = re.compile(r"# ?([0-9A-Za-z-]{1,16}) HASH")
_ESCAPE = re.compile(r"\\([\\nr])")
_ESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}
_STRENGTH = list(HEX_DIGITS)


class Entry(Struct, frozen=True):
    """One line: ``name`` is the last part of the path it gives, empty for a digest alone."""

    name: str
    checksum: Checksum


def find_checksum(data: bytes, name: str, sums_name: str = "") -> Checksum:
    """Give what a checksum file promises of the image ``name``, by the strongest algorithm it uses.

    ``name`` is the last part of the image's URL, decoded. A digest without a name is believed where it is the only one.
    So is one with another name where the checksum file's own, ``sums_name``, is the image's with an ending: openSUSE's
    ``image.iso.sha256`` names the build that the image is a link to.
    Raises ChecksumError where the file is too large, does not list the image, or contradicts itself.
    """
    if len(data) > MAX_SUMS_BYTES:
        raise ChecksumError(
            f"The checksum file has more than {MAX_SUMS_BYTES} bytes. Give the URL of a file such as SHA256SUMS."
        )
    entries = list(dict.fromkeys(_entries(data.decode("utf-8-sig", "replace"))))
    found = [entry.checksum for entry in entries if entry.name == name]
    if not found and len(entries) == 1 and (not entries[0].name or sums_name.startswith(f"{name}.")):
        found = [entries[0].checksum]
    if not found:
        raise ChecksumError(f"The checksum file does not list {_shown(name)}. {_listing(entries)}", name=name)
    strongest = max((checksum.algorithm for checksum in found), key=_STRENGTH.index)
    promised = [checksum for checksum in found if checksum.algorithm == strongest]
    if len(promised) > 1:
        raise ChecksumError(
            f"The checksum file lists {_shown(name)} {len(promised)} times, each time with another {strongest}. "
            "Give the image's own checksum instead.",
            name=name,
        )
    return promised[0]


def _entries(text: str) -> Iterator[Entry]:
    heading = None
    for line in text.split("\n"):
        line = line.rstrip("\r \t")
        if said := _HEADING.fullmatch(line):
            heading = said[1]
        elif tagged := _TAGGED.fullmatch(line):
            escaped, algorithm, path, digits = tagged.groups()
            yield from _entry(path, escaped, checksum_of(algorithm, digits))
        elif plain := _PLAIN.fullmatch(line):
            escaped, digits, path = plain.groups()
            yield from _entry(path or "", escaped, checksum_of(heading, digits))


def _entry(path: str, escaped: str, checksum: Checksum | None) -> Iterator[Entry]:
    if checksum:
        whole = _ESCAPE.sub(lambda match: _ESCAPED[match[1]], path) if escaped else path
        yield Entry(whole.rpartition("/")[2], checksum)


def _listing(entries: list[Entry]) -> str:
    names = list(dict.fromkeys(entry.name for entry in entries if entry.name))
    if not names:
        return "It has no line that names a file and its checksum: look whether its URL is right."
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"It lists {', '.join(map(_shown, names[:_LISTED]))}{more}. Take the checksum file that belongs to the URL."


def _shown(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")
