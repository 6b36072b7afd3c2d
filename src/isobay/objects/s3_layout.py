"""What lies where below a store's prefix, and which bytes of a part are certain.

owner                        the id of the catalogue that the store belongs to
incoming/<id>/begun          an image is being received; deleted first of all where it is deleted
incoming/<id>/<start>-<end>  a piece of it: the bytes between two offsets, in 15 digits each, the second excluded
objects/<id>                 whole

A piece is never written over. The last one may be short, and is written again under another name when it is longer:
of two that start at one offset the longer counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from isobay.objects.object_ids import checked, is_id
from isobay.objects.s3_bucket import Found

OWNER = "owner"
INCOMING = "incoming/"
WHOLE = "objects/"
_BEGUN = "begun"
_SPAN = re.compile(r"([0-9]{15})-([0-9]{15})")


class Piece(Struct, frozen=True):
    """Bytes of a part, from ``start`` up to ``end``, and the object of S3 that has them."""

    start: int
    end: int
    found: Found


class Keys(Struct, frozen=True):
    """The keys of one object."""

    object_id: str
    part: str
    begun: str
    whole: str

    @classmethod
    def of(cls, object_id: str) -> Keys:
        """Those of this id. Raises StorageError for what is no id."""
        part = f"{INCOMING}{checked(object_id)}/"
        return cls(object_id=object_id, part=part, begun=part + _BEGUN, whole=WHOLE + object_id)

    def piece(self, start: int, end: int) -> str:
        """The key of a piece."""
        return f"{self.part}{start:015}-{end:015}"


def id_of(key: str) -> str:
    """The id of the object that a key belongs to; empty for what is not ours."""
    kind, _, rest = key.partition("/")
    found, _, rest = rest.partition("/")
    known = kind + "/" == INCOMING or (kind + "/" == WHOLE and not rest)
    return found if known and is_id(found) else ""


def contiguous(found: Iterable[Found]) -> list[Piece]:
    """The pieces that follow one another from the first byte on: what is certain of a part."""
    pieces = sorted(filter(None, map(_piece, found)), key=lambda piece: (piece.start, -piece.end))
    certain: list[Piece] = []
    for piece in pieces:
        if piece.start == (certain[-1].end if certain else 0) < piece.end:
            certain.append(piece)
    return certain


def ids_of(keys: Iterable[str]) -> set[str]:
    """The ids of the objects that keys belong to."""
    return {found for found in map(id_of, keys) if found}


def _piece(found: Found) -> Piece | None:
    span = _SPAN.fullmatch(found.key.rpartition("/")[2])
    piece = Piece(int(span[1]), int(span[2]), found) if span else None
    return piece if piece and piece.end - piece.start == found.size else None
