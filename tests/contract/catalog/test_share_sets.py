"""What environments share is merged into their lists in order, and leaves nothing behind when it ends."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import func, select

from isobay.catalog import queries
from isobay.catalog.sharing import MOST_SETS
from isobay.catalog.tables import scopes, share_members, share_sets
from isobay.errors import ConflictError
from isobay.model import Listing

OTHERS = {"here": ["environment-2"], "beside": ["environment-1"]}


def _share(shelf, iso, owner="here", others=None):
    with shelf.catalog.writing() as tx:
        place = shelf.place(owner, tx)
        scope = shelf.catalog.sharing.scope(tx, place.environment_id, others or OTHERS[owner])
        shared = msgspec.structs.replace(iso, visibility="shared")
        shelf.catalog.isos.replace(tx, place, shared, shared_scope=scope)
    return shared


def _rows(shelf) -> list[int]:
    with shelf.catalog.reading() as tx:
        return [tx.execute(select(func.count()).select_from(each)).scalar_one() for each in (share_sets, share_members)]


@pytest.fixture
def mixed(shelf):
    """Give ISOs of two environments, in turn private, public and shared with the other: those that ``here`` sees."""
    seen = []
    for number in range(60):
        owner, kind = ("here", "beside")[number % 2], ("private", "public", "shared")[number // 2 % 3]
        visibility = "private" if kind == "shared" else kind
        iso = shelf.add(owner, name=f"{number * 7 % 60:02}", size=number % 5, visibility=visibility)
        iso = _share(shelf, iso, owner) if kind == "shared" else iso
        seen += [iso] if owner == "here" or kind != "private" else []
    return seen


@pytest.mark.parametrize("order", ["ASC", "DESC"])
@pytest.mark.parametrize("sort_by", ["", "name", "size"])
def test_all_scopes_are_one_list(shelf, mixed, sort_by, order):
    """Whole, by pages at an offset and by cursors: the same ISOs in the same order, and as many as are counted."""
    by_field = sorted(mixed, key=(lambda iso: getattr(iso, sort_by)) if sort_by else mixed.index)
    listing = {"sort_by": sort_by, "order": order}
    found = shelf.all(**listing)
    assert {iso.id for iso in found} == {iso.id for iso in mixed}
    expected = by_field if order == "ASC" else by_field[::-1]
    if sort_by:
        assert [getattr(iso, sort_by) for iso in found] == [getattr(iso, sort_by) for iso in expected]
    else:
        assert found == expected
    assert shelf.walk(limit=7, **listing) == found
    pages = [shelf.page(limit=7, offset=offset, **listing) for offset in range(0, len(mixed), 7)]
    assert [iso for page in pages for iso in page.items] == found
    assert {page.total for page in pages} == {len(mixed)}
    assert shelf.page(filters=(("visibility", "shared"),)).total == 20


def test_a_place_without_shares_is_asked_as_before(shelf, mixed):
    """Another connection's environment is in no set, and its lists are merged from two scopes."""
    assert mixed
    place = shelf.place("elsewhere")
    assert (place.shared, len(place.scopes)) == ((), 2)
    assert queries.Shape.of(Listing(), len(place.shared)) == queries.Shape.of(Listing())
    assert shelf.all("elsewhere") == []
    assert len(shelf.place("here").shared) == 2


def test_a_set_is_made_once_and_forgotten_when_it_is_empty(shelf):
    """The same environments in any order are one set; the last ISO that leaves it takes it along."""
    with shelf.catalog.reading() as tx:
        before = tx.execute(select(func.count()).select_from(scopes)).scalar_one()
    both = ["environment-2", "environment-3"]
    one, two = _share(shelf, shelf.add(), others=both), _share(shelf, shelf.add(), others=both[::-1])
    assert _rows(shelf) == [1, 3]
    _share(shelf, one, others=["environment-2"])
    assert _rows(shelf) == [2, 5]
    shelf.delete(two.id)
    assert _rows(shelf) == [1, 2]
    with shelf.catalog.writing() as tx:
        shelf.catalog.isos.replace(tx, shelf.place("here", tx), msgspec.structs.replace(one, visibility="private"))
    assert _rows(shelf) == [0, 0]
    with shelf.catalog.reading() as tx:
        assert tx.execute(select(func.count()).select_from(scopes)).scalar_one() == before


def test_an_edit_leaves_an_iso_in_its_set(shelf):
    """What is written anew without naming a set stays where it is."""
    iso = _share(shelf, shelf.add())
    with shelf.catalog.writing() as tx:
        shelf.catalog.isos.replace(tx, shelf.place("here", tx), msgspec.structs.replace(iso, name="edited"))
    assert shelf.get(iso.id, "beside").name == "edited"
    assert shelf.get(iso.id, "elsewhere") is None


def test_an_environment_is_in_a_bounded_number_of_sets(shelf):
    """The next one is refused, and nothing of it is made; a set that is there can still be used."""
    with shelf.catalog.writing() as tx:
        for number in range(MOST_SETS):
            place = shelf.place("here", tx)
            environment = shelf.catalog.environments.get(tx, place.environment_id)
            other = msgspec.structs.replace(environment, id=f"more-{number}", name=f"more-{number}")
            shelf.catalog.environments.add(tx, other)
            shelf.catalog.sharing.scope(tx, "environment-1", [other.id])
    rows = _rows(shelf)
    with pytest.raises(ConflictError):
        _share(shelf, shelf.add(), others=["environment-2"])
    assert _rows(shelf) == rows
    iso = _share(shelf, shelf.add(), others=["more-7"])
    assert shelf.get(iso.id, "more-7") == iso
    assert len(shelf.walk(limit=1)) == 2
