"""How a list is asked of the database: one statement for each shape of question, built once.

Each of the scopes that a place sees is read in the order of an index (scope, field, seq), and they are
merged; ``seq``, the order of creation, makes every order total.
"""

from __future__ import annotations

import operator
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Executable,
    FromClause,
    Select,
    asc,
    bindparam,
    desc,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from isobay.catalog.tables import isos
from isobay.errors import InvalidFieldsError
from isobay.model import Listing, SortOrder
from isobay.model.iso import DESCRIPTION_LENGTH

Values = dict[str, Any]
SHAPES_KEPT = 512
RECORD_SEPARATOR = "\x1e"  # ASCII's own; JSON escapes control characters, so no record holds it
CURSOR_LENGTH = 4096


class Anchor(Struct, frozen=True):
    """The place of a row in an order: its value of the sort field, and its ``seq``."""

    key: str | int | bool
    seq: int


class Shape(Struct, frozen=True):
    """What of a listing decides its SQL; the rest is bound. ``few``: its filters leave little to sort.

    ``shared`` is how many scopes are seen beside the private and the public one.
    """

    sort_by: str
    order: SortOrder
    filters: tuple[str, ...]
    search: bool
    few: bool = False
    shared: int = 0

    @classmethod
    def of(cls, listing: Listing, shared: int = 0) -> Shape:
        """The shape of a listing."""
        names = tuple(name for name, _ in listing.filters)
        return cls(listing.sort_by, listing.order, names, bool(listing.search), shared=shared)

    def unsorted(self) -> Shape:
        """The same without its order: what a count needs."""
        return Shape("", "ASC", self.filters, self.search, shared=self.shared)


def scope_names(shared: int) -> tuple[str, ...]:
    """What the ids of the scopes are bound as."""
    return ("private_scope", "public_scope", *(f"shared_scope_{number}" for number in range(shared)))


def values_of(listing: Listing) -> Values:
    """What a listing binds: its filters' values and the pattern of its search.

    Raises InvalidFieldsError for what no column can hold: the drivers' own errors differ.
    """
    problems = {name: problem for name, value in listing.filters if (problem := problem_of(isos.c[name], value))}
    if problem := problem_of(isos.c.description, listing.search):
        problems["search"] = problem
    if problems:
        raise InvalidFieldsError(problems)
    values: Values = {f"filter_{name}": value for name, value in listing.filters}
    if listing.search:
        escaped = listing.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["search"] = f"%{escaped}%"
    return values


def problem_of(column: ColumnElement[Any], value: object) -> str:
    """Why a column cannot hold a value, on one of the databases; empty if both can."""
    expected = column.type.python_type
    if type(value) is not expected:
        return {str: "give a text", int: "give a whole number", bool: "give true or false"}[expected]
    if isinstance(value, str):
        longest = getattr(column.type, "length", None) or DESCRIPTION_LENGTH
        if len(value) > longest:
            return f"give at most {longest} characters"
        return "" if _is_text(value) else "has characters that no text can have"
    bits = 63 if isinstance(column.type, BigInteger) else 31
    if isinstance(value, int) and not -(1 << bits) <= value < 1 << bits:
        return f"give a whole number of at most {bits} bits"
    return ""


def _is_text(value: str) -> bool:
    try:
        return b"\0" not in value.encode()  # which PostgreSQL refuses
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


@lru_cache(SHAPES_KEPT)
def page_statement(shape: Shape, after: bool, dialect: str) -> Executable:
    """The records and seqs of a page, in order, after an anchor if there is one. ``found`` reads its rows.

    On SQLite they come as one row: Python lets another thread in at every row that SQLite gives, and a
    page of twenty would be waited for twenty times.
    """
    limit = bindparam("limit", type_=BigInteger)
    page = _merged(shape, (isos.c.record,), after, limit, dialect).limit(limit)
    if dialect != "sqlite":
        return page
    rows = page.subquery()
    seq = list(rows.c)[-1]
    return select(func.group_concat(rows.c.record, RECORD_SEPARATOR), func.group_concat(seq, ","))


def found(rows: Sequence[Sequence[Any]], dialect: str) -> tuple[list[str], list[int]]:
    """The records, and beside them the seqs, of what ``page_statement`` gave."""
    if dialect != "sqlite":
        return [row[0] for row in rows], [row[-1] for row in rows]
    records, seqs = rows[0]
    return (records.split(RECORD_SEPARATOR), [int(seq) for seq in seqs.split(",")]) if seqs else ([], [])


@lru_cache(SHAPES_KEPT)
def anchor_statement(shape: Shape, dialect: str) -> CompoundSelect[Any]:
    """The (sort value, seq), or the seq alone, of the row at an offset, read from the index alone."""
    offset = bindparam("offset", type_=BigInteger)
    return _merged(shape, (), False, offset + 1, dialect).limit(1).offset(offset)


@lru_cache(SHAPES_KEPT)
def count_statement(shape: Shape) -> Select[int]:
    """How many rows match."""
    scopes = isos.c.scope_id.in_([bindparam(name) for name in scope_names(shape.shared)])
    return select(func.count()).select_from(isos).where(scopes, *_conditions(shape))


def _merged(
    shape: Shape, columns: tuple[ColumnElement[Any], ...], after: bool, reach: ColumnElement[int], dialect: str
) -> CompoundSelect[Any]:
    """The scopes' streams in one order; ``reach`` is how many rows are needed of each.

    SQLite merges streams in the order of their index unasked, and would sort them if asked; PostgreSQL
    sorts all that they hold unless each is ordered and ends.
    """
    key = _sort_column(shape, dialect)
    place = [key.label("sort_key")]
    if shape.sort_by:  # else it is there: by two names of one column PostgreSQL would sort all rows
        place.append(isos.c.seq.label("row_seq"))
    direction = asc if shape.order == "ASC" else desc
    order: list[ColumnElement[Any]] = [direction(literal_column(column.name)) for column in place]
    streams = [
        select(*columns, *place).where(
            isos.c.scope_id == bindparam(scope), *(_conditions(shape) if columns else _indexed(shape, scope)), *beyond
        )
        for scope in scope_names(shape.shared)
        for beyond in (_after(shape, key) if after else [()])
    ]
    if dialect == "postgresql":
        streams = [stream.order_by(*order).limit(reach) for stream in streams]
    return union_all(*streams).order_by(*order)


def _after(shape: Shape, key: ColumnElement[Any]) -> list[tuple[ColumnElement[bool], ...]]:
    """The rows after an anchor, in two streams: those that tie with it, and those beyond.

    One comparison of rows, ``(key, seq) > (:key, :seq)``, says the same; SQLite finds only its first
    half in the index and then reads every tie.
    """
    beyond: Callable[..., ColumnElement[bool]] = operator.gt if shape.order == "ASC" else operator.lt
    later = beyond(isos.c.seq, bindparam("after_seq", type_=isos.c.seq.type))
    if not shape.sort_by:
        return [(later,)]
    anchor = bindparam("after_key", type_=key.type)
    return [(key == anchor, later), (beyond(key, anchor),)]


def _sort_column(shape: Shape, dialect: str) -> ColumnElement[Any]:
    if not shape.sort_by:
        return isos.c.seq
    if shape.few and dialect == "sqlite":
        # The plus keeps SQLite from walking the sort's index to look for the few; it sorts what the filter's gives.
        return literal_column(f"+isos.{shape.sort_by}", isos.c[shape.sort_by].type)
    return isos.c[shape.sort_by]


def _indexed(shape: Shape, scope: str) -> list[ColumnElement[bool]]:
    """The conditions for statements that need nothing but indexes: each filter gives the seqs of its own.

    To skip half a million rows of a sorted and filtered list takes a second so, and half a minute where
    every row is fetched to be filtered.
    """
    if shape.search or shape.few or not shape.sort_by:
        return _conditions(shape)
    return [
        isos.c.seq.in_(select(inner.c.seq).where(inner.c.scope_id == bindparam(scope), _filter(inner, name)))
        for inner, name in ((isos.alias(), name) for name in shape.filters)
    ]


def _filter(table: FromClause, name: str) -> ColumnElement[bool]:
    return table.c[name] == bindparam(f"filter_{name}")


def _conditions(shape: Shape) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_filter(isos, name) for name in shape.filters]
    if shape.search:
        pattern: ColumnElement[str] = bindparam("search")
        conditions.append(or_(isos.c.name.ilike(pattern, escape="\\"), isos.c.description.ilike(pattern, escape="\\")))
    return conditions


class _Cursor(Struct, array_like=True, forbid_unknown_fields=True):
    sort_by: str
    order: SortOrder
    key: str | int | bool
    seq: int


def encode_cursor(anchor: Anchor, listing: Listing) -> str:
    """The opaque text that names the row after which the next page begins."""
    cursor = _Cursor(listing.sort_by, listing.order, anchor.key, anchor.seq)
    return urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def decode_cursor(text: str, listing: Listing) -> Anchor:
    """The anchor in a cursor. Raises InvalidFieldsError if it is none of ours, or of another order."""
    try:
        text = text[:CURSOR_LENGTH]
        cursor = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Cursor)
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidFieldsError({"cursor": "not a cursor of this list; take metadata.nextCursor as it is"}) from error
    if (cursor.sort_by, cursor.order) != (listing.sort_by, listing.order):
        raise InvalidFieldsError(
            {"cursor": "made for another order of this list; ask with the same sort_by and sort_order"}
        )
    column = isos.c[listing.sort_by] if listing.sort_by else isos.c.seq
    if not 0 <= cursor.seq < 1 << 63 or problem_of(column, cursor.key):
        raise InvalidFieldsError({"cursor": "not a cursor of this list; take metadata.nextCursor as it is"})
    return Anchor(cursor.key, cursor.seq)
