"""Zones that are made later get all ISOs of their connections, whatever happens meanwhile, on each database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec
import pytest

from isobay.access import make_zones
from isobay.access.zones import add_zones
from isobay.catalog import open_catalog
from isobay.catalog.isos import STREAM_ROWS
from isobay.model import Listing, Zone

FIRST = Zone("first", "zone1")


@pytest.fixture
def zoned(shelf):
    """Put the first zone into the first connection; the second has none."""
    with shelf.catalog.writing() as tx:
        shelf.catalog.connections.add_zone(tx, "connection-1", FIRST)
    return shelf


def zones(shelf, number=1):
    """The zones of a connection, their ids by their names."""
    with shelf.catalog.reading() as tx:
        return {zone.name: zone.id for zone in shelf.catalog.connections.zones(tx, f"connection-{number}")}


def in_first(shelf, **fields):
    """An ISO that is in the first zone alone."""
    return shelf.iso(zone_id="first", zone_name="zone1", available_in_zones=["first"], **fields)


def test_each_iso_gets_into_the_new_zones(zoned):
    """All of them, more than are read at once, of every environment; nothing else of them changes."""
    here = zoned.add_all([in_first(zoned, name=f"{number:04}") for number in range(2 * STREAM_ROWS + 1)])
    beside = zoned.add_all([in_first(zoned, visibility="public", live=True, progress=0.125)], "beside")
    make_zones(zoned.catalog, "local", ["zone1", "zone2", "zone3"])

    made = zones(zoned)
    assert list(made) == ["zone1", "zone2", "zone3"]
    assert made["zone1"] == "first"
    changed = {"zone_id": "", "zone_name": "", "available_in_zones": ["first", made["zone2"], made["zone3"]]}
    wanted = [msgspec.structs.replace(iso, **changed) for iso in here + beside]
    assert zoned.all() == wanted
    assert zoned.page("here", filters=(("zone_name", "zone1"),)).total == 0
    assert zoned.page("beside", filters=(("zone_name", ""),)).items == wanted[-1:]


def test_a_connection_without_zones_gets_its_only_one(zoned):
    """Its ISOs are in that alone then; those of another connection have no part in it."""
    far, near = zoned.add("elsewhere"), zoned.add("here", available_in_zones=["first"])
    make_zones(zoned.catalog, "local", ["zone1"])

    (only,) = zones(zoned, 2).values()
    changed = {"zone_id": only, "zone_name": "zone1", "available_in_zones": [only]}
    assert zoned.get(far.id, "elsewhere") == msgspec.structs.replace(far, **changed)
    assert zoned.get(near.id) == near


def test_other_types_of_connections_get_none(zoned):
    """What is local's own is not made elsewhere."""
    make_zones(zoned.catalog, "another", ["zone2"])
    assert (zones(zoned), zones(zoned, 2)) == ({"zone1": "first"}, {})


def test_what_was_remembered_is_asked_anew(zoned):
    """Pages and counts that were given before the zones were made are not given after."""
    zoned.add_all([in_first(zoned)])
    listing = Listing(filters=(("zone_name", "zone1"),), limit=10)
    assert zoned.catalog.page(zoned.place(), listing).total == 1
    make_zones(zoned.catalog, "local", ["zone2"])
    assert zoned.catalog.page(zoned.place(), listing).total == 0


def test_two_that_start_at_once_make_each_zone_once(zoned):
    """One makes them, the other finds them; no ISO is put into a zone twice."""
    iso = zoned.add_all([in_first(zoned)])[0]
    start = Barrier(4)

    def run(_number):
        catalog = open_catalog(zoned.url)
        start.wait()
        try:
            make_zones(catalog, "local", ["zone2", "zone3"])
        finally:
            catalog.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, range(4)))
    made = zones(zoned)
    assert list(made) == ["zone1", "zone2", "zone3"]
    assert zoned.get(iso.id).available_in_zones == ["first", made["zone2"], made["zone3"]]


def test_what_fails_in_between_leaves_nothing(zoned):
    """A zone is there with all ISOs in it, or not at all; the next start makes it."""
    iso = zoned.add_all([in_first(zoned)])[0]

    def dies():
        with zoned.catalog.writing() as tx:
            made = add_zones(zoned.catalog, tx, "connection-1", ["zone2"])
            zoned.catalog.isos.put_into(tx, "connection-1", made)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dies()
    assert (zones(zoned), zoned.get(iso.id)) == ({"zone1": "first"}, iso)
    make_zones(zoned.catalog, "local", ["zone2"])
    assert zoned.get(iso.id).available_in_zones == ["first", zones(zoned)["zone2"]]


def test_where_none_is_lacking_nobody_is_waited_for(zoned):
    """A start that has nothing to make writes nothing: it goes on while another writes."""
    make_zones(zoned.catalog, "local", ["zone1", "zone2"])
    made = zones(zoned)
    with zoned.catalog.writing():
        make_zones(zoned.catalog, "local", ["zone1", "zone2"])
        make_zones(zoned.catalog, "local", [])
    assert zones(zoned) == made
