"""Checksums as people and checksum files write them."""

from __future__ import annotations

import hmac
import re

from msgspec import Struct

from isobay.errors import ChecksumError

# Weakest first: where a file promises several, the last of these is the one to prove.
HEX_DIGITS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_BY_DIGITS = {digits: algorithm for algorithm, digits in HEX_DIGITS.items()}
_NAME = re.compile(r"md5|sha-?(?:1|224|256|384|512)", re.IGNORECASE | re.ASCII)
_FORM = re.compile(r"(?:\{([0-9A-Za-z-]{1,16})\}|([0-9A-Za-z-]{1,16}):)?([0-9A-Fa-f]{1,128})")
_SHOWN = 160


class Checksum(Struct, frozen=True):
    """A promise about bytes: ``algorithm`` is a key of HEX_DIGITS, ``hexdigest`` is in lower case."""

    algorithm: str
    hexdigest: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hexdigest}"

    def matches(self, hexdigest: str) -> bool:
        """Whether a digest, in any case, is the promised one; compared in constant time."""
        return hmac.compare_digest(self.hexdigest.encode(), hexdigest.lower().encode())


def parse_checksum(text: str) -> Checksum:
    """Read ``sha256:…``, ``{SHA-256}…`` (RFC 3230's name in CloudStack's braces) or bare hex digits.

    Raises ChecksumError where the algorithm is not known or the number of digits is not the algorithm's.
    """
    form = _FORM.fullmatch(text.strip())
    named = (form[1] or form[2]) if form else None
    checksum = checksum_of(named, form[3]) if form else None
    if checksum is None:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        raise ChecksumError(
            f"{shown!r} is no checksum. Write sha256: and 64 hex digits, or leave the name out; "
            f"known are {', '.join(HEX_DIGITS)}."
        )
    return checksum


def checksum_of(named: str | None, digits: str) -> Checksum | None:
    """Make a checksum of an algorithm's name, if one is said, and hex digits; None where the two are no pair."""
    if named is None:
        algorithm = _BY_DIGITS.get(len(digits), "")
    else:
        algorithm = named.lower().replace("-", "") if _NAME.fullmatch(named) else ""
    return Checksum(algorithm, digits.lower()) if HEX_DIGITS.get(algorithm) == len(digits) else None
