"""Totals and remembered pages tell the truth right after every change, whoever made it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from isobay.catalog import open_catalog
from isobay.model import Environment, Listing, Named

ADD = """
import sys
from isobay.catalog import open_catalog
from isobay.model import Iso
catalog = open_catalog(sys.argv[1])
with catalog.writing() as tx:
    place = catalog.places.named(tx, sys.argv[2])[0]
    catalog.isos.add(tx, place, Iso(id=sys.argv[3], name="added", visibility=sys.argv[4]), "object")
"""


@pytest.mark.parametrize(("name", "visibility"), [("here", "private"), ("beside", "public")])
def test_another_process_is_heard_at_once(shelf, name, visibility):
    """What another process adds is in the next total and on the next page."""
    shelf.add_all([shelf.iso() for _ in range(5)])
    assert (shelf.page(limit=2, offset=4).total, len(shelf.page(limit=2, offset=4).items)) == (5, 1)

    subprocess.run([sys.executable, "-c", ADD, shelf.url, name, "the-id", visibility], check=True, timeout=60)

    page = shelf.page(limit=2, offset=4)
    assert (page.total, page.items[-1].id) == (6, "the-id")


def test_every_change_is_in_the_next_total(shelf):
    """Another catalogue on the same database sees each addition, edit and deletion, in whole and filtered."""
    other = open_catalog(shelf.url)

    def totals() -> tuple[int, int, int]:
        with other.reading() as tx:
            place = other.places.named(tx, "here")[0]
            asked = [Listing(limit=1), Listing(limit=1, filters=(("ready", True),)), Listing(limit=1, search="x")]
            return tuple(other.isos.page(tx, place, listing).total for listing in asked)

    seen = [totals()]
    one, two = shelf.add(name="x", ready=True), shelf.add(name="y")
    seen.append(totals())
    with shelf.catalog.writing() as tx:
        shelf.catalog.isos.replace(tx, shelf.place("here", tx), shelf.iso(id=two.id, name="xy", ready=True))
    seen.append(totals())
    shelf.delete(one.id)
    seen.append(totals())
    other.close()

    assert seen == [(0, 0, 0), (2, 1, 1), (2, 2, 2), (1, 1, 1)]


def test_a_remembered_page_moves_with_the_rows_before_it(shelf):
    """The page at an offset is counted anew after a row before it went away."""
    isos = shelf.add_all([shelf.iso(name=f"{n:02}") for n in range(20)])
    assert shelf.page(limit=3, offset=10, sort_by="name").items == isos[10:13]

    shelf.delete(isos[0].id)
    assert shelf.page(limit=3, offset=10, sort_by="name").items == isos[11:14]

    first = shelf.add(name="0")
    assert shelf.page(limit=3, offset=10, sort_by="name").items == isos[10:13]
    assert shelf.page(limit=1, sort_by="name").items == [first]


def test_a_change_that_is_undone_leaves_no_trace(shelf):
    """Neither rows nor totals nor what is remembered keep anything of a transaction that failed."""
    given = shelf.add()

    def undone() -> None:
        with shelf.catalog.writing() as tx:
            shelf.catalog.isos.delete(tx, given.id)
            assert shelf.catalog.isos.page(tx, shelf.place("here", tx), Listing(limit=5)).total == 0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    assert (shelf.page().total, shelf.all()) == (1, [given])
    shelf.add()
    assert (shelf.page().total, len(shelf.all())) == (2, 2)


def test_a_new_environment_inherits_nothing_remembered(shelf):
    """What was counted in an environment that is gone is not told of the one made after it."""

    def make(number: int, isos: int) -> None:
        with shelf.catalog.writing() as tx:
            named = Named("connection-1")
            shelf.catalog.environments.add(
                tx, Environment(id=f"new-{number}", name="new", description="", service_connection=named)
            )
        for _ in range(isos):
            shelf.add("new")

    make(1, isos=2)
    assert shelf.page("new").total == 2
    for iso in shelf.all("new"):
        shelf.delete(iso.id)
        shelf.page("new")
    with shelf.catalog.writing() as tx:
        shelf.catalog.environments.delete(tx, "new-1")
    make(2, isos=3)

    assert (shelf.page("new").total, len(shelf.all("new"))) == (3, 3)
