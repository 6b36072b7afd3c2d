"""Lists: what may be asked of them, and their envelope."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from isobay.clock import written
from isobay.errors import InvalidFieldsError
from isobay.http.endpoint import Call, Reply
from isobay.http.fields import read_query
from isobay.model import Listing, Page
from isobay.model.listing import FilterValue

DEFAULT_PAGE_SIZE = 100
VALUE_LENGTH = 1024
QUERIES_KEPT = 256
TEXT = r"^[^\x00]*$"
_LARGEST = (1 << 63) - 1
_CONTROLS = ("page_number", "page_size", "sort_by", "sort_order", "cursor", "search", "since", "until")
_TIMES = {"since": "From this moment on.", "until": "Before this moment."}
_encode = msgspec.json.Encoder().encode


class Metadata(Struct, rename="camel", kw_only=True, omit_defaults=True):
    """What a list says of itself; what does not apply is left out."""

    record_count: int
    page_size: int | None = None
    page_current: int | None = None
    sort_field: str | None = None
    sort_order: str | None = None
    next_cursor: str | None = None


class ListOf:
    """A list of one kind of struct: which of its fields can be sorted and filtered by.

    A log has one order, that of time, and can be cut by ``since`` and ``until``.
    """

    def __init__(
        self,
        kind: type[Struct],
        names: Sequence[str] | None = None,
        cursor: bool = False,
        searched: Sequence[str] = ("name", "description"),
        is_log: bool = False,
    ) -> None:
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        chosen = names if names is not None else [name for name, field in fields.items() if _scalar(field.type)]
        self.fields = {fields[name].encode_name: (name, _scalar(fields[name].type)) for name in chosen}
        self.searched = [name for name in searched if name in fields]
        self.has_cursor = cursor
        self.is_log = is_log
        # Callers ask the same questions again and again, and what a question means depends on nothing else.
        self._read = lru_cache(QUERIES_KEPT)(self._understand)

    def parameters(self) -> tuple[dict[str, Any], ...]:
        """The query parameters, for the OpenAPI document."""
        names = sorted(self.fields)
        text = {"type": "string", "maxLength": VALUE_LENGTH, "pattern": TEXT}
        said: list[tuple[str, dict[str, Any], str]] = [
            ("page_number", {"type": "integer", "minimum": 1, "maximum": _LARGEST}, "The page, from 1."),
            (
                "page_size",
                {"type": "integer", "minimum": 1, "maximum": 1000},
                "How many a page; without it the whole list.",
            ),
        ]
        if names and not self.is_log:
            by = {"type": "string", "enum": names}
            said.append(("sort_by", by, "The field to sort by; without it the order of creation."))
            said.append(("sort_order", {"type": "string", "enum": ["ASC", "DESC"]}, "The direction."))
        if self.searched:
            said.append(("search", text, f"Part of the {' or '.join(self.searched)}, ignoring the case of A to Z."))
        if self.has_cursor:
            said.append(
                ("cursor", {"type": "string"}, "metadata.nextCursor of the page before; instead of page_number.")
            )
        if self.is_log:
            said += [(name, {"type": "string", "format": "date-time"}, meaning) for name, meaning in _TIMES.items()]
        kinds: dict[type, dict[str, Any]] = {
            bool: {"type": "boolean"},
            int: {"type": "integer", "maximum": _LARGEST, "minimum": -_LARGEST},
            str: text,
        }
        said += [(name, kinds[self.fields[name][1]], f"Only those whose {name} is this.") for name in names]
        return tuple(
            {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
            for name, schema, description in said
        )

    def read(self, call: Call) -> Listing:
        """Read the query of a call. Raises InvalidFieldsError that names all bad parameters."""
        return self._read(call.query, call.services.settings.max_page_size)

    def _understand(self, query: bytes, largest: int) -> Listing:
        problems: dict[str, str] = {}
        given: dict[str, str] = {}
        for name, value in read_query(query):
            if name in given:
                problems[name] = "is given twice"
            elif len(value) > VALUE_LENGTH or "\0" in value:
                problems[name] = f"must have at most {VALUE_LENGTH} characters and no NUL"
            given[name] = value
        filters = [
            (self.fields[name][0], self._value(name, given[name], problems)) for name in given if name in self.fields
        ]
        if self.is_log:
            filters += [(name, _moment(name, given[name], problems)) for name in _TIMES if name in given]
        unknown = given.keys() - self.fields.keys() - self._controls()
        problems |= dict.fromkeys(
            unknown,
            f"is not a parameter or a field; there are {', '.join(sorted(self._controls() | self.fields.keys()))}",
        )
        size = _number(given, "page_size", largest, problems)
        number = _number(given, "page_number", _LARGEST, problems)
        if (number or "cursor" in given) and not size:
            size = DEFAULT_PAGE_SIZE
        if number and "cursor" in given:
            problems["cursor"] = "cannot be combined with page_number"
        sort_by = given.get("sort_by", "")
        if sort_by and sort_by not in self.fields:
            problems["sort_by"] = f"must be one of {', '.join(sorted(self.fields))}"
        order = given.get("sort_order", "ASC").upper()
        if order not in ("ASC", "DESC"):
            problems["sort_order"] = "must be ASC or DESC"
        if problems:
            raise InvalidFieldsError(dict(sorted(problems.items())))
        return Listing(
            sort_by=self.fields[sort_by][0] if sort_by else "",
            order="DESC" if order == "DESC" else "ASC",
            filters=tuple(sorted(filters)),
            search=given.get("search", ""),
            limit=size,
            offset=(number - 1) * size if number else 0,
            cursor=given.get("cursor", ""),
        )

    def of(self, call: Call, items: Sequence[Any]) -> Reply:
        """Answer from a list that is in memory whole."""
        listing = self.read(call)
        found = [item for item in items if all(getattr(item, name) == value for name, value in listing.filters)]
        if listing.search:
            needle = listing.search.lower()
            found = [item for item in found if any(needle in getattr(item, name).lower() for name in self.searched)]
        if listing.sort_by:
            found.sort(key=lambda item: getattr(item, listing.sort_by), reverse=listing.order == "DESC")
        elif listing.order == "DESC":
            found.reverse()
        shown = found[listing.offset : listing.offset + listing.limit] if listing.limit else found
        return self.page(listing, Page(shown, len(found)))

    def page(self, listing: Listing, page: Page[Any]) -> Reply:
        """The envelope of one page, or of a whole list where the listing has no limit."""
        return Reply({"data": page.items, "metadata": self._metadata(listing, page.total, page.next_cursor)})

    def stream(self, listing: Listing, pieces: Iterator[list[Any]]) -> Reply:
        """The envelope of a whole list, written as it is read: memory does not grow with it."""
        return Reply(stream=self._streamed(listing, pieces))

    def _streamed(self, listing: Listing, pieces: Iterator[list[Any]]) -> Generator[bytes]:
        count = 0
        opening = b'{"data":['
        for items in pieces:
            body = _encode(items)[1:-1]
            yield opening + (b"," + body if count else body)
            opening = b""
            count += len(items)
        yield opening + b'],"metadata":' + _encode(self._metadata(listing, count, "")) + b"}"

    def _metadata(self, listing: Listing, total: int, cursor: str) -> Metadata:
        shown = {name: encoded for encoded, (name, _) in self.fields.items()}
        asked = bool(listing.limit or listing.sort_by)
        return Metadata(
            record_count=total,
            page_size=listing.limit or None,
            page_current=listing.offset // listing.limit + 1 if listing.limit and not listing.cursor else None,
            sort_field=shown[listing.sort_by] if listing.sort_by else None,
            sort_order=listing.order if asked else None,
            next_cursor=cursor or None,
        )

    def _controls(self) -> set[str]:
        absent = set() if self.has_cursor else {"cursor"}
        absent |= set() if self.searched else {"search"}
        absent |= set() if self.fields and not self.is_log else {"sort_by", "sort_order"}
        absent |= set() if self.is_log else _TIMES.keys()
        return set(_CONTROLS) - absent

    def _value(self, name: str, text: str, problems: dict[str, str]) -> FilterValue:
        kind = self.fields[name][1]
        if kind is bool:
            if text.lower() not in ("true", "false"):
                problems[name] = "must be true or false"
            return text.lower() == "true"
        if kind is int:
            return _integer(name, text, -_LARGEST, _LARGEST, problems)
        return text


def _number(given: dict[str, str], name: str, largest: int, problems: dict[str, str]) -> int:
    return _integer(name, given[name], 1, largest, problems) if name in given else 0


def _integer(name: str, text: str, least: int, largest: int, problems: dict[str, str]) -> int:
    # int() also takes blanks, underscores and other scripts' digits, and any length.
    plain = text.removeprefix("-")
    if plain.isascii() and plain.isdigit() and len(plain) <= 19 and least <= int(text) <= largest:
        return int(text)
    problems[name] = f"must be a whole number from {least} to {largest}"
    return least


def _moment(name: str, text: str, problems: dict[str, str]) -> str:
    try:
        return written(msgspec.convert(text, Annotated[datetime, Meta(tz=True)]))
    except (msgspec.ValidationError, OverflowError):
        problems[name] = "must be a moment in RFC 3339, as 2027-01-31T00:00:00Z"
        return ""


def _scalar(kind: Any) -> type | Any:
    """The type that a field's text is read as: str, int or bool; None for what is no scalar."""
    inspected = msgspec.inspect.type_info(kind)
    if isinstance(inspected, msgspec.inspect.Metadata):
        inspected = inspected.type
    found = {
        msgspec.inspect.StrType: str,
        msgspec.inspect.LiteralType: str,
        msgspec.inspect.IntType: int,
        msgspec.inspect.BoolType: bool,
    }
    return found.get(type(inspected))
