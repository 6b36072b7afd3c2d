"""What instances go through, the same on a host in memory and on libvirt."""

from __future__ import annotations

import pytest

from isobay.errors import NotFoundError, WrongStateError


def test_an_instance_lives(anywhere, bootable):
    """It is made, stopped, started, destroyed, recovered and purged, and then its host knows it no more."""
    iso = anywhere.shelve(bootable, "system")
    made = anywhere.make(iso)
    assert (made.state, made.cpu_count, made.memory_in_mb, made.root_volume_size_in_gb) == ("Running", 1, 64, 1)
    assert (made.image_id, made.iso_id, made.iso_name, made.zone_name) == (iso.id, iso.id, "system", "zone1")

    assert anywhere.do("stop", made, force=True).state == "Stopped"
    assert anywhere.do("start", made).state == "Running"
    assert anywhere.do("destroy", made, purge=False).state == "Destroyed"
    assert anywhere.hypervisor.get(made.id).power == "Stopped"
    assert anywhere.do("recover", made).state == "Stopped"
    anywhere.do("destroy", made, purge=False)
    anywhere.do("purge", made)

    assert anywhere.hypervisor.all() == {}
    assert anywhere.all() == []
    with pytest.raises(NotFoundError):
        anywhere.get(made)


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_isos_come_and_go(anywhere, bootable, data, running):
    """An ISO is attached to a slot, or without one to the first, and detached, while it runs and while it does not."""
    first, second = anywhere.shelve(bootable, "system"), anywhere.shelve(data, "drivers")
    made = anywhere.make(first)
    if not running:
        anywhere.do("stop", made, force=True)

    both = anywhere.do("attach", made, second.id, 2)
    assert [(each.slot, each.iso_name) for each in both.isos] == [(0, "system"), (2, "drivers")]
    changed = anywhere.do("attach", made, second.id, None)
    assert (changed.iso_id, changed.image_id) == (second.id, first.id)
    assert {drive.slot for drive in anywhere.hypervisor.get(made.id).drives if drive.image} == {0, 2}
    anywhere.do("detach", made, None)
    left = anywhere.do("detach", made, 2)
    assert (left.iso_id, left.isos) == ("", [])
    assert not any(drive.image for drive in anywhere.hypervisor.get(made.id).drives)
    with pytest.raises(WrongStateError, match="no ISO in drive 2"):
        anywhere.do("detach", made, 2)


def test_several_isos_are_there_from_the_start(anywhere, bootable, data):
    """Additional ISOs are in the slots after the first."""
    system, drivers = anywhere.shelve(bootable, "system"), anywhere.shelve(data, "drivers")
    made = anywhere.make(system, additional_iso_ids=[drivers.id, system.id])

    assert [(each.slot, each.iso_name) for each in made.isos] == [(0, "system"), (1, "drivers"), (2, "system")]
    assert [drive.slot for drive in anywhere.hypervisor.get(made.id).drives if drive.image] == [0, 1, 2]
