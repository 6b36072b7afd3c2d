"""Instances as they are told: what the catalogue keeps of each, and what its host shows now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from isobay.catalog import Inserted, KeptInstance, Place
from isobay.engines.local.instance_sizes import name_of
from isobay.hypervisor import Seen
from isobay.model import AttachedIso, Instance, InstanceState, Listing, Page, Zone

# What is told while work on it goes on, wherever its guest is just then.
_WORKING: dict[str, InstanceState] = {
    "instance.create": "Starting",
    "instance.start": "Starting",
    "instance.eject": "Starting",
    "instance.stop": "Stopping",
    "instance.halt": "Stopping",
    "instance.destroy": "Stopping",
    "instance.purge": "Stopping",
}
GONE = (
    "Its guest is not defined on the host any more. Start the instance, and it is defined anew with the disk that it "
    "had."
)

PAUSED = "Its guest is paused or has crashed on its host. Start the instance to let it go on, or stop it by force."


def shown(kept: KeptInstance, place: Place, zones: Mapping[str, Zone], seen: Seen | None, away: str = "") -> Instance:
    """One instance. ``seen`` is its guest, None where there is none; ``away`` says why its host does not answer."""
    record = kept.record
    state, message = _state(kept, seen, away)
    isos = _isos(kept, place, seen)
    first = next((iso for iso in isos if iso.slot == 0), None)
    zone = zones.get(kept.zone_id, Zone(kept.zone_id, ""))
    return Instance(
        id=kept.id,
        name=record.name,
        hostname=re.sub(r"[^a-z0-9]+", "-", record.name.lower()).strip("-")[:63].rstrip("-"),
        state=state,
        state_message=message,
        cpu_count=seen.cpu_count if seen else record.cpu_count,
        memory_in_mb=seen.memory_mb if seen else record.memory_mb,
        root_volume_size_in_gb=record.disk_gb,
        image_id=record.image_id,
        image_name=record.image_name,
        zone_id=zone.id,
        zone_name=zone.name,
        mac_address=record.mac,
        ip_address=seen.ip if seen else "",
        network_id=record.network,
        network_name=record.network,
        compute_offering_id=record.offering_id,
        compute_offering_name=name_of(record.offering_id),
        iso_id=first.iso_id if first else "",
        iso_name=first.iso_name if first else "",
        isos=isos,
        architecture=record.architecture,
        firmware=record.firmware,
        eject_after_install=record.ejects,
        created=record.created,
        updated=record.updated,
    )


def _state(kept: KeptInstance, seen: Seen | None, away: str) -> tuple[InstanceState, str]:
    if kept.record.destroyed and kept.work not in _WORKING:
        return "Destroyed", ""
    if kept.work in _WORKING:
        return _WORKING[kept.work], ""
    if away:
        return "Error", away
    if kept.record.problem:
        return "Error", kept.record.problem
    if seen is None:
        return "Error", GONE
    return seen.power, PAUSED if seen.power == "Error" else ""


def _isos(kept: KeptInstance, place: Place, seen: Seen | None) -> list[AttachedIso]:
    """What is in the drives; while work on it goes on, or where it has no guest, what is to be in them."""
    wanted = {each.slot: each for each in kept.isos}
    if seen is None or kept.work:
        return [_attached(each.slot, each, place) for each in kept.isos]
    return [
        _attached(drive.slot, _iso_in(drive.image, wanted.get(drive.slot)), place)
        for drive in seen.drives
        if drive.image
    ]


def _iso_in(image: Path, wanted: Inserted | None) -> Inserted | None:
    """The ISO that is to be in a drive, if it is; None where somebody at the host put another file there."""
    return wanted if wanted and image.stem == wanted.object_id else None


def _attached(slot: int, iso: Inserted | None, place: Place) -> AttachedIso:
    if iso is None:
        return AttachedIso(slot)
    return AttachedIso(slot, iso.iso_id, iso.name if iso.scope_id in place.scopes else "")


def page_of(found: list[Instance], listing: Listing) -> Page[Instance]:
    """The page that is asked for, out of all instances in the order of their creation."""
    chosen = [each for each in found if all(getattr(each, name) == value for name, value in listing.filters)]
    if listing.search:
        chosen = [each for each in chosen if listing.search.lower() in each.name.lower()]
    if listing.sort_by:
        chosen.sort(key=lambda each: getattr(each, listing.sort_by), reverse=listing.order == "DESC")
    elif listing.order == "DESC":
        chosen.reverse()
    end = listing.offset + listing.limit if listing.limit else None
    return Page(chosen[listing.offset : end], len(chosen))
