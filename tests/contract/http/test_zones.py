"""The zones that ISOBAY_LIBVIRT names are there, and every ISO is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isobay.app import build
from isobay.settings import Settings
from service import SEED, Service, serving

TWO = "zone2=qemu+unix:///session?socket=/nowhere,far=off"
ONE = "zone1=qemu+unix:///system?socket=/nowhere"
THREE = f"{ONE},{TWO}"


def names(service: Service, path: str = SEED) -> dict[str, str]:
    """The names of the zones of a service, by their ids."""
    return {zone["id"]: zone["name"] for zone in service.get(f"{path}/zones")}


def placed(service: Service, iso: dict[str, Any]) -> tuple[set[str], str, str]:
    """The names of the zones that an ISO is in, and those of its only one."""
    shown = service.get(f"{SEED}/isos/{iso['id']}")
    known = names(service)
    return {known[each] for each in shown["availableInZones"]}, known.get(shown["zoneId"], ""), shown["zoneName"]


def test_a_first_start_makes_the_zones_that_are_named(tmp_path: Path):
    """Beside the first, whatever starts: a second start is not needed for them."""
    built = build(Settings.load({"ISOBAY_LIBVIRT": TWO}, data_dir=tmp_path))
    visit = built.door.operate("test_area")
    assert [zone.name for zone in visit.engine.zones(visit.place)] == ["far", "zone1", "zone2"]
    built.catalog.close()


def test_an_iso_that_comes_is_in_every_zone(tmp_path: Path, small_image: Path):
    """And so in none alone."""
    with serving(tmp_path, ISOBAY_LIBVIRT=THREE) as service:
        assert placed(service, service.add(small_image)) == ({"far", "zone1", "zone2"}, "", "")


def test_a_later_start_makes_the_zones_that_are_new(tmp_path: Path, small_image: Path):
    """ISOs that are there get into them, and are found there and nowhere alone; the old zones keep their ids."""
    with serving(tmp_path, ISOBAY_LIBVIRT=ONE) as service:
        before = names(service)
        iso = service.add(small_image)
        assert placed(service, iso) == ({"zone1"}, "zone1", "zone1")
    with serving(tmp_path, ISOBAY_LIBVIRT=THREE) as service:
        after = names(service)
        assert before.items() < after.items()
        assert sorted(after.values()) == ["far", "zone1", "zone2"]
        assert placed(service, iso) == ({"far", "zone1", "zone2"}, "", "")
        assert service.get(f"{SEED}/isos", zoneName="zone1") == []
        (listed,) = service.get(f"{SEED}/isos", zoneName="")
        assert (listed["id"], listed["updated"]) == (iso["id"], iso["updated"])


def test_a_zone_stays_when_it_is_not_named_any_more(tmp_path: Path):
    """It is as it was, without a host, and the next start that names it makes no other."""
    with serving(tmp_path, ISOBAY_LIBVIRT=THREE) as service:
        zones = names(service)
    for hosts in (ONE, THREE):
        with serving(tmp_path, ISOBAY_LIBVIRT=hosts) as service:
            assert names(service) == zones


def test_a_later_connection_has_the_zones_that_are_named(tmp_path: Path):
    """Each connection has its own of the same names."""
    with serving(tmp_path, ISOBAY_LIBVIRT=THREE) as service:
        made = service.client().post(
            "/v1/services/connections", json={"name": "later", "serviceCode": "later-on", "type": "local"}
        )
        area = {"name": "later_area", "serviceConnection": {"id": made.json()["data"]["id"]}}
        assert service.client().post("/v1/environments", json=area).status_code == 200
        later, first = names(service, "/v1/services/later-on/later_area"), names(service)
        assert sorted(later.values()) == sorted(first.values()) == ["far", "zone1", "zone2"]
        assert not later.keys() & first.keys()
