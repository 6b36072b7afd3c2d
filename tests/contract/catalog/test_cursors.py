"""Cursors lead through a list while it changes, and are refused where they were not made for it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isobay.catalog import SORT_FIELDS
from isobay.errors import InvalidFieldsError

# The shelf is only read: one for all examples is what is meant.
READS_ONLY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def _refused(shelf, cursor: str, **listing) -> bool:
    """Whether the cursor is refused by name; any other error is let through."""
    try:
        shelf.page(limit=5, cursor=cursor, **listing)
    except InvalidFieldsError as error:
        return list(error.context["fields"]) == ["cursor"]
    return False


def _cursor(*parts) -> str:
    return urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


@pytest.mark.parametrize("order", ["ASC", "DESC"])
@pytest.mark.parametrize("sort_by", ["", "name", "size", "bootable", "id"])
def test_a_walk_holds_while_rows_come_and_go(shelf, sort_by, order):
    """Rows that stay are met exactly once, in order, whatever is added or deleted between the pages."""
    stay = [shelf.iso(name=f"stay {n % 7}", size=n % 5, bootable=n % 2 == 0) for n in range(40)]
    go = [shelf.iso(name=f"stay {n % 7}", size=n % 5, bootable=n % 3 == 0) for n in range(40)]
    shelf.add_all([iso for pair in zip(stay, go, strict=True) for iso in pair])
    leaving = iter([iso.id for iso in go])

    def change() -> None:
        for number in range(2):
            shelf.delete(next(leaving))
            shelf.add(name=f"stay {number * 5}", size=number * 4, visibility="public" if number else "private")

    walked = [iso.id for iso in shelf.walk(limit=6, sort_by=sort_by, order=order, between=change)]

    assert len(set(walked)) == len(walked)
    kept = {iso.id for iso in stay}
    expected = [iso.id for iso in shelf.all(sort_by=sort_by, order=order) if iso.id in kept]
    assert [iso_id for iso_id in walked if iso_id in kept] == expected


def test_a_row_added_after_the_last_was_deleted_is_met(shelf):
    """The number of a deleted row is never given again, so a cursor at the end sees what comes next."""
    shelf.add_all([shelf.iso(name=str(n)) for n in range(3)])
    page = shelf.page(limit=2)
    last = shelf.page(limit=1, cursor=page.next_cursor).items[0]
    shelf.delete(last.id)
    at_the_end = _cursor("", "ASC", 3, 3)
    later = shelf.add(name="later")

    assert shelf.page(cursor=at_the_end).items == [later]


def test_a_cursor_outlives_its_row(shelf):
    """The row that a page ended with may be deleted before the next page is asked for."""
    isos = shelf.add_all([shelf.iso(name=name) for name in "abcdef"])
    page = shelf.page(limit=3, sort_by="name")
    shelf.delete(isos[2].id)

    assert [iso.name for iso in shelf.page(limit=3, sort_by="name", cursor=page.next_cursor).items] == ["d", "e", "f"]


def test_a_cursor_of_another_order_is_refused(shelf):
    """A cursor leads through the order that it was made in only."""
    shelf.add_all([shelf.iso(name=name) for name in "abc"])
    cursor = shelf.page(limit=1, sort_by="name").next_cursor

    assert not _refused(shelf, cursor, sort_by="name")
    assert _refused(shelf, cursor, sort_by="name", order="DESC")
    assert _refused(shelf, cursor)
    for field in SORT_FIELDS:
        assert _refused(shelf, cursor, sort_by=field) == (field != "name")


@pytest.mark.parametrize(
    ("sort_by", "parts"),
    [
        ("", ("", "ASC", 1, -1)),
        ("", ("", "ASC", 1, 1 << 63)),
        ("", ("", "ASC", "1", 1)),
        ("", ("", "ASC", 1)),
        ("", ("", "ASC", 1, 1, 1)),
        ("", ("", "UP", 1, 1)),
        ("", ("", "ASC", 1, 1.5)),
        ("size", ("size", "ASC", 1 << 63, 1)),
        ("size", ("size", "ASC", True, 1)),
        ("bootable", ("bootable", "ASC", 1, 1)),
        ("architecture_width", ("architecture_width", "ASC", 1 << 63, 1)),
        ("name", ("name", "ASC", "a\0b", 1)),
        ("name", ("name", "ASC", None, 1)),
        ("name", ("name", "ASC", "x" * 5000, 1)),
    ],
)
def test_a_cursor_made_by_hand_is_refused(shelf, sort_by, parts):
    """What looks like a cursor and holds what no row has is refused before the database sees it."""
    shelf.add(name="a")

    assert _refused(shelf, _cursor(*parts), sort_by=sort_by)


def test_any_text_as_a_cursor_is_refused(shelf):
    """Whatever a caller sends in place of a cursor gives the one error, and no other."""
    shelf.add()

    @READS_ONLY
    @given(st.one_of(st.text(min_size=1), st.binary(min_size=1).map(lambda raw: urlsafe_b64encode(raw).decode())))
    def refused(cursor: str) -> None:
        assert _refused(shelf, cursor)

    refused()


def test_a_changed_cursor_shows_nothing_that_is_hidden(shelf):
    """One byte changed in a true cursor is refused or leads to another part of the same list, never beyond it."""
    seen = {iso.id for iso in shelf.add_all([shelf.iso(name=f"{n:04}") for n in range(30)])}
    shelf.add_all([shelf.iso(name=f"{n:04}") for n in range(30)], "beside")
    cursor = shelf.page(limit=5, sort_by="name").next_cursor
    raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    @READS_ONLY
    @given(st.integers(0, len(raw) - 1), st.integers(0, 255))
    def bounded(position: int, value: int) -> None:
        changed = urlsafe_b64encode(raw[:position] + bytes([value]) + raw[position + 1 :]).decode()
        if not _refused(shelf, changed, sort_by="name"):
            assert {iso.id for iso in shelf.page(sort_by="name", cursor=changed).items} <= seen

    bounded()
