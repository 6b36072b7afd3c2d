"""Parts of a body, and when to send it at all: RFC 9110, 13 (conditions) and 14 (ranges). Pure: text in, spans out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from msgspec import Struct

from isobay.errors import PreconditionError, RangeError

MOST_RANGES = 100
_MOST_CHARACTERS = 4096
_ONE = re.compile(r"(\d{0,19})-(\d{0,19})", re.ASCII)
_TAG = re.compile(r'(W/)?"([^"]*)"')

Headers = Mapping[str, str]
"""The request's headers by name in lower case; what is given several times is joined by commas."""


class Span(Struct, frozen=True):
    """Bytes of a body: from ``start`` up to and without ``end``."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


class Validators(Struct, frozen=True):
    """What tells two versions of a body apart: the entity tag without its quotes, and when it came to be."""

    tag: str
    modified: datetime

    @property
    def etag(self) -> str:
        """The entity tag as the header has it; a strong one (8.8.3)."""
        return f'"{self.tag}"'

    @property
    def last_modified(self) -> str:
        """The date as the header has it (8.8.2); whole seconds."""
        return http_date(self.modified)


@lru_cache(1024)
def http_date(moment: datetime) -> str:
    """A date as HTTP has it (5.6.7)."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def is_unchanged(headers: Headers, validators: Validators) -> bool:
    """Whether the caller has the body already, which is answered with 304 (13.2.2).

    Raises PreconditionError where the caller wants another version than there is.
    """
    wanted = headers.get("if-match")
    if wanted is not None:
        if not _names(wanted, validators.tag, weak=False):
            raise _failed("If-Match", validators)
    elif (since := _date(headers.get("if-unmodified-since"))) and _seconds(validators.modified) > since:
        raise _failed("If-Unmodified-Since", validators)
    known = headers.get("if-none-match")
    if known is not None:
        return _names(known, validators.tag, weak=True)
    since = _date(headers.get("if-modified-since"))
    return since is not None and _seconds(validators.modified) <= since


def wanted_spans(headers: Headers, validators: Validators, size: int) -> list[Span]:
    """The parts that a GET asks for; empty is the whole body, as where a Range is none that must be heeded (14.2).

    Parts that overlap or touch are put together, and then all are in ascending order. Raises RangeError, 416, where
    none of them is in the body.
    """
    given = headers.get("range")
    condition = headers.get("if-range")
    if given is None or (condition is not None and not _is_same(condition.strip(), validators)):
        return []
    asked = _asked(given, size)
    if asked is None:
        return []
    spans = [span for span in asked if span.start < span.end]
    if not spans:
        raise RangeError(
            f"No part of what was asked for is there: there are {size} bytes. Ask for the whole, and begin anew.",
            size=size,
        )
    return _together(spans)


def _asked(given: str, size: int) -> list[Span] | None:
    """The parts, cut to the body; those outside of it are empty. None for another unit, nonsense or too many."""
    unit, equals, listed = given.partition("=")
    if unit.strip().lower() != "bytes" or not equals or len(listed) > _MOST_CHARACTERS:
        return None
    found = []
    for each in filter(None, map(str.strip, listed.split(","))):
        match = _ONE.fullmatch(each)
        if match is None or each == "-":
            return None
        first, last = match.groups()
        if not first:
            found.append(Span(max(size - int(last), 0), size))
        elif last and int(last) < int(first):
            return None
        else:
            found.append(Span(int(first), min(int(last) + 1, size) if last else size))
    return found if 0 < len(found) <= MOST_RANGES else None


def _together(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined if len(joined) < len(spans) else spans


def _is_same(condition: str, validators: Validators) -> bool:
    """Whether If-Range names this version (13.1.5): by its tag, or by exactly its date."""
    if condition.endswith('"'):
        return condition == validators.etag
    return condition == validators.last_modified


def _names(listed: str, tag: str, *, weak: bool) -> bool:
    if listed.strip() == "*":
        return True
    return any(name == tag and (weak or not prefix) for prefix, name in _TAG.findall(listed))


def _date(text: str | None) -> datetime | None:
    """A date of a header; None for one that cannot be read, which is as good as none (13.1.3)."""
    try:
        found = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def _seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _failed(name: str, validators: Validators) -> PreconditionError:
    return PreconditionError(
        f"The request's {name} names another version than there is, which is {validators.etag} "
        f"of {validators.last_modified}.",
        etag=validators.etag,
    )


class Part(Struct, frozen=True):
    """A piece of what is sent: bytes that stand before a span of the body, and the span."""

    before: bytes
    span: Span


def multipart(spans: Sequence[Span], size: int, media_type: str, boundary: str) -> tuple[list[Part], int]:
    """The parts of a body of the type multipart/byteranges (14.6), the last without a span, and their bytes in all."""
    parts = [
        Part(
            f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\n"
            f"Content-Range: {content_range(span, size)}\r\n\r\n".encode(),
            span,
        )
        for span in spans
    ]
    parts.append(Part(f"\r\n--{boundary}--\r\n".encode(), Span(0, 0)))
    return parts, sum(len(part.before) + part.span.size for part in parts)


def content_range(span: Span, size: int) -> str:
    """The header of one part (14.4)."""
    return f"bytes {span.start}-{span.end - 1}/{size}"
