"""Lists are sorted, paged, filtered and searched alike on both databases: as Python would."""

from __future__ import annotations

import random
from operator import attrgetter

import pytest

from isobay.catalog import FILTER_FIELDS, SORT_FIELDS
from isobay.errors import InvalidFieldsError
from isobay.model import Iso

ROWS = 60
TEXTS = ["", "a", "B", "b", "ä", "Z", "é", "a b", "a-b", "ab", "_", "%", "\\", "10", "9", "日本", "💿", "ｱ"]
NUMBERS = [0, 1, 1, 9, 10, 1 << 40, (1 << 63) - 1]
FIXED = {
    "architecture_width": [32, 64],
    "name": TEXTS[1:],
    "visibility": ["private", "shared", "public"],
    "status": ["ready", "failed", "importing"],
}


@pytest.fixture(params=["few", "many"])
def quantity(request, monkeypatch) -> str:
    """Let filtered lists be answered as those of few rows are, and as those of many."""
    if request.param == "many":
        monkeypatch.setattr("isobay.catalog.isos.FEW", 0)
    return request.param


@pytest.fixture
def rows(shelf) -> list[Iso]:
    """Shelve random ISOs, many of them alike, in three environments; what is seen from ``here``, as created."""
    choose = random.Random(20)
    seen = []
    for _ in range(ROWS):
        name = choose.choice(["here", "here", "beside", "elsewhere"])
        iso = shelf.add(name, **{field: choose.choice(_values(field)) for field in SORT_FIELDS if field != "id"})
        if name == "here" or (name == "beside" and iso.visibility == "public"):
            seen.append(iso)
    assert len(seen) > ROWS // 3
    return seen


def _values(field: str) -> list:
    if field in FIXED:
        return FIXED[field]
    example = getattr(Iso(id="", name=""), field)
    if isinstance(example, bool):
        return [False, True]
    return NUMBERS if isinstance(example, int) else TEXTS


def _sorted(rows: list[Iso], field: str, order: str) -> list[Iso]:
    # Python compares code points, which is the order of UTF-8's bytes; its sort keeps the order of
    # creation between equals, and DESC is the exact reverse of ASC.
    ascending = sorted(rows, key=attrgetter(field)) if field else rows
    return ascending if order == "ASC" else ascending[::-1]


def test_every_field_sorts_both_ways(shelf, rows):
    """Each order equals Python's own sort of the bytes, whole, streamed and in pages by number and by cursor."""
    for field in ("", *SORT_FIELDS):
        for order in ("ASC", "DESC"):
            expected = _sorted(rows, field, order)
            asked = {"sort_by": field, "order": order}
            assert shelf.page(**asked).items == expected, asked
            assert shelf.all(**asked) == expected, asked
            assert shelf.walk(limit=7, **asked) == expected, asked
            numbered = [shelf.page(limit=7, offset=offset, **asked) for offset in range(0, len(rows), 7)]
            assert [iso for page in numbered for iso in page.items] == expected, asked
            assert {page.total for page in numbered} == {len(rows)}


def test_a_page_by_number_goes_on_by_cursor(shelf, rows):
    """The cursor of a numbered page leads to the page after it, and the last page has none."""
    expected = _sorted(rows, "name", "DESC")
    page = shelf.page(limit=5, offset=10, sort_by="name", order="DESC")
    after = shelf.page(limit=5, cursor=page.next_cursor, sort_by="name", order="DESC")

    assert after.items == expected[15:20]
    assert shelf.page(limit=len(rows), sort_by="name").next_cursor == ""
    assert shelf.page(limit=5, offset=len(rows) - 5).next_cursor == ""


def test_an_offset_is_found_whichever_page_came_first(shelf, rows):
    """A deep page asked for cold, again, and after the pages before it, is the same page."""
    for offset in (len(rows) - 3, 11, 1, len(rows) - 3, 11, 1):
        page = shelf.page(limit=4, offset=offset, sort_by="size")
        assert page.items == _sorted(rows, "size", "ASC")[offset : offset + 4]


@pytest.mark.parametrize("beyond", [0, 1, 1000, 1 << 62, 1 << 80])
def test_an_offset_beyond_the_end_is_an_empty_page(shelf, rows, beyond):
    """There is nothing after the last row, and the total says how far it goes."""
    page = shelf.page(limit=4, offset=len(rows) + beyond)

    assert (page.items, page.total, page.next_cursor) == ([], len(rows), "")


@pytest.mark.usefixtures("quantity")
def test_every_field_filters(shelf, rows):
    """For every value of every field: what is found, its total and its order are those of Python's filter."""
    for field in FILTER_FIELDS:
        for value in {getattr(iso, field) for iso in rows}:
            expected = [iso for iso in rows if getattr(iso, field) == value]
            page = shelf.page(filters=((field, value),))
            assert (page.items, page.total) == (expected, len(expected)), (field, value)
            walked = shelf.walk(limit=3, filters=((field, value),), sort_by="os_version", order="DESC")
            assert walked == _sorted(expected, "os_version", "DESC"), (field, value)


@pytest.mark.usefixtures("quantity")
def test_filters_and_search_join(shelf, rows):
    """All filters and the search must hold at once."""
    expected = [iso for iso in rows if iso.bootable and not iso.live and "a" in (iso.name + iso.description).lower()]
    asked = {"filters": (("bootable", True), ("live", False)), "search": "a"}

    assert 0 < len(expected) < len(rows)
    assert shelf.walk(limit=2, **asked) == expected
    assert shelf.page(limit=1, **asked).total == len(expected)
    assert shelf.all(sort_by="name", **asked) == _sorted(expected, "name", "ASC")


@pytest.mark.usefixtures("quantity")
@pytest.mark.parametrize("filters", [(("bootable", True),), (("bootable", True), ("ready", False))])
@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_a_filtered_offset_is_found_cold(shelf, rows, filters, order):
    """The last page of a sorted and filtered list, asked for first, and each before it, is the right one."""
    found = [iso for iso in rows if all(getattr(iso, field) == value for field, value in filters)]
    expected = _sorted(found, "description", order)
    assert len(expected) > 4
    for offset in reversed(range(len(expected))):
        page = shelf.page(limit=3, offset=offset, sort_by="description", order=order, filters=filters)
        assert (page.items, page.total) == (expected[offset : offset + 3], len(expected))


@pytest.mark.parametrize(("field", "value"), [("name", "nobody has it"), ("size", 77), ("os_type_id", "x" * 36)])
def test_a_value_that_nothing_has_finds_nothing(shelf, rows, field, value):
    """A filter that nothing passes gives an empty list, not an error."""
    assert rows
    assert shelf.page(filters=((field, value),), sort_by="created").items == []
    assert shelf.page(filters=((field, value),)).total == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 1 << 63),
        ("size", -(1 << 63) - 1),
        ("architecture_width", 1 << 63),
        ("name", "a\0b"),
        ("name", "\ud800"),
        ("description", "x" * 513),
        ("os_type_id", "x" * 37),
        ("size", "1"),
        ("size", True),
        ("name", 1),
        ("live", 1),
    ],
)
def test_a_value_that_no_database_can_hold_is_refused(shelf, field, value):
    """What cannot be bound is an error that names the field, on both databases alike."""
    with pytest.raises(InvalidFieldsError) as caught:
        shelf.page(filters=((field, value),))

    assert list(caught.value.context["fields"]) == [field]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("50%", {"50% off"}),
        ("%", {"50% off"}),
        ("_", {"snake_case"}),
        ("\\", {"back\\slash"}),
        ("'", {"it's"}),
        ("netinst", {"Debian NETINST", "other"}),
        ("NETinst", {"Debian NETINST", "other"}),
        ("ディスク", {"ディスク"}),
        ("💿", {"a 💿"}),
        (" ", {"50% off", "Debian NETINST", "a 💿"}),
        ("nothing like it", set()),
    ],
)
def test_search_finds_the_text_itself(shelf, search, found):
    """A search looks for its very characters in name and description, small and capital letters alike."""
    for name in ("50% off", "5000 off"[:4], "snake_case", "back\\slash", "it's", "Debian NETINST", "ディスク", "a 💿"):
        shelf.add(name=name)
    shelf.add(name="other", description="the-netinst-one")

    assert {iso.name for iso in shelf.page(search=search).items} == found
    assert shelf.page(search=search, limit=1).total == len(found)


@pytest.mark.parametrize("search", ["a\0b", "\ud800", "x" * 100_000])
def test_a_search_that_cannot_be_asked_is_refused(shelf, search):
    """What no name can hold is an error that names the parameter."""
    with pytest.raises(InvalidFieldsError) as caught:
        shelf.page(search=search)

    assert list(caught.value.context["fields"]) == ["search"]


def test_ties_are_broken_by_the_order_of_creation(shelf):
    """Where a hundred rows have one value, pages neither repeat nor leave out."""
    given = shelf.add_all([shelf.iso(name="the same") for _ in range(100)])
    for order in ("ASC", "DESC"):
        walked = shelf.walk(limit=9, sort_by="name", order=order)
        assert list(map(attrgetter("id"), walked)) == [iso.id for iso in given][:: 1 if order == "ASC" else -1]
