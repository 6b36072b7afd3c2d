"""What is asked of a list, and the page that answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

from msgspec import Struct

T = TypeVar("T")
SortOrder = Literal["ASC", "DESC"]
FilterValue = str | int | bool


class Listing(Struct, kw_only=True, frozen=True):
    """A question to a list.

    ``sort_by`` and ``filters`` hold field names as Python spells them; an empty ``sort_by`` is the
    order of creation. ``limit`` 0 asks for all. ``offset`` and ``cursor`` exclude each other.
    """

    sort_by: str = ""
    order: SortOrder = "ASC"
    filters: tuple[tuple[str, FilterValue], ...] = ()
    search: str = ""
    limit: int = 0
    offset: int = 0
    cursor: str = ""


class Page(Struct, Generic[T], frozen=True):
    """Some of what matches. ``total`` counts all that matches; ``next_cursor`` is empty on the last page."""

    items: Sequence[T]
    total: int
    next_cursor: str = ""
