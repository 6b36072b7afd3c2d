"""Drives whose files somebody at the host changes, on a real libvirt, and what that means for the ISOs in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from rack import Rack, built_on, until

from hypervisors import Libvirt
from images import image
from isobay.errors import InUseError
from isobay.hypervisor.opening import open_hypervisor
from isobay.model import AttachedIso, Instance, Iso

FROM_A_SERVER = """<disk type='network' device='cdrom'><driver name='qemu' type='raw'/>
<source protocol='http' name='/system.iso'><host name='localhost' port='80'/></source>
<target dev='hda' bus='ide'/><readonly/></disk>"""


@pytest.fixture
def real(libvirt_server: Libvirt) -> Iterator[Rack]:
    """Build an isobay with a worker on the libvirt."""
    data_dir = libvirt_server.data_dir()
    rack = built_on(open_hypervisor(libvirt_server.uri, str(uuid4()), data_dir), data_dir)
    with rack.working():
        yield rack
        for each in rack.all():
            rack.do("destroy", each, purge=True)
    rack.built.catalog.close()


@pytest.fixture
def strange(libvirt_server: Libvirt) -> Path:
    """Make an image of the host's operator, which isobay does not know."""
    path = image(libvirt_server.directory / f"{uuid4()}.iso", {"strange": ""})
    path.chmod(0o644)
    return path


def asleep(libvirt: Libvirt, made: Instance) -> str:
    """Let the guest's firmware stand still, which would close trays that virsh opens; its domain."""
    libvirt.virsh("suspend", made.id)
    return made.id


def delete(rack: Rack, iso: Iso) -> None:
    """Delete an ISO."""
    rack.here.engine.delete_iso(rack.here.place, rack.here.identity, iso.id)


def test_another_file_in_a_drive_is_not_the_iso(real: Rack, libvirt_server: Libvirt, strange: Path, bootable: Path):
    """A file that virsh put in the place of an ISO, or into an empty drive, has no id, name or path; a start ends that.

    The ISO cannot be deleted meanwhile: it comes back with that start.
    """
    iso = real.shelve(bootable, "system")
    made = real.make(iso)
    domain = asleep(libvirt_server, made)
    for target in ("hda", "hdc"):
        libvirt_server.virsh("change-media", domain, target, str(strange), "--live", "--config", "--force")
    shown = real.get(made)
    assert shown.isos == [AttachedIso(0), AttachedIso(2)]
    assert (shown.iso_id, shown.iso_name) == ("", "")
    assert real.all()[0].isos == shown.isos
    real.built.watching.tend()
    with pytest.raises(InUseError):
        delete(real, iso)
    real.do("stop", made, force=True)
    assert real.get(made).isos == [AttachedIso(0), AttachedIso(2)]
    again = real.do("start", made)
    assert again
    assert again.isos == [AttachedIso(0, iso.id, "system")]


@pytest.mark.parametrize("slot", [0, 2], ids=["over the ISO", "into an empty drive"])
def test_another_file_is_detached_too(real: Rack, libvirt_server: Libvirt, strange: Path, bootable: Path, slot: int):
    """A file that virsh put into a drive is taken out as an ISO is, and other drives keep theirs."""
    iso = real.shelve(bootable, "system")
    made = real.make(iso, additional_iso_ids=[iso.id])
    target = {0: "hda", 2: "hdc"}[slot]
    domain = asleep(libvirt_server, made)
    libvirt_server.virsh("change-media", domain, target, str(strange), "--live", "--config", "--force")
    real.do("detach", made, slot)
    left = [AttachedIso(each, iso.id, "system") for each in (0, 1) if each != slot]
    assert real.get(made).isos == left
    real.do("stop", made, force=True)
    again = real.do("start", made)
    assert again
    assert again.isos == left


def test_an_image_from_a_server_is_not_the_iso(real: Rack, libvirt_server: Libvirt, tmp_path: Path, bootable: Path):
    """What virsh lets a drive have from elsewhere than a file fills it too, and does not free the ISO."""
    iso = real.shelve(bootable, "system")
    made = real.make(iso)
    real.do("stop", made, force=True)
    device = tmp_path / "device.xml"
    device.write_text(FROM_A_SERVER)
    libvirt_server.virsh("update-device", made.id, str(device), "--config")
    real.built.watching.tend()
    assert real.get(made).isos == [AttachedIso(0)]
    with pytest.raises(InUseError):
        delete(real, iso)
    started = real.do("start", made)
    assert started
    assert started.isos == [AttachedIso(0, iso.id, "system")]


def test_what_a_guest_ejects_lies_in_its_tray(real: Rack, libvirt_server: Libvirt, bootable: Path):
    """A guest that opens its tray has the ISO still, until it is detached."""
    iso = real.shelve(bootable, "system")
    made = real.make(iso)
    order = {"execute": "blockdev-open-tray", "arguments": {"id": "ide0-0-0", "force": True}}
    domain = asleep(libvirt_server, made)
    libvirt_server.virsh("qemu-monitor-command", domain, json.dumps(order))
    until(lambda: "tray='open'" in libvirt_server.virsh("dumpxml", domain), "libvirt hears of the open tray")
    real.built.watching.tend()
    assert [each.iso_id for each in real.get(made).isos] == [iso.id]
    with pytest.raises(InUseError):
        delete(real, iso)
    real.do("detach", made, None)
    delete(real, iso)


def test_a_saved_guest_goes_on_with_other_isos(real: Rack, libvirt_server: Libvirt, bootable: Path):
    """What is attached and detached while virsh keeps a guest with its memory is so when the guest goes on."""
    first, second = real.shelve(bootable, "first"), real.shelve(bootable, "second")
    made = real.make(first)
    libvirt_server.virsh("managedsave", made.id)
    assert real.get(made).state == "Stopped"
    real.do("detach", made, None)
    real.do("attach", made, second.id, 1)
    delete(real, first)
    again = real.do("start", made)
    assert again
    assert (again.state, again.isos) == ("Running", [AttachedIso(1, second.id, "second")])
    with pytest.raises(InUseError):
        delete(real, second)


def test_what_is_taken_out_for_now_is_used_still(real: Rack, libvirt_server: Libvirt, bootable: Path):
    """An ISO that virsh took out of the running guest alone is not shown, and is needed by its next start.

    Taken out of its definition too, it is nobody's.
    """
    iso = real.shelve(bootable, "system")
    made = real.make(iso)
    domain = asleep(libvirt_server, made)
    libvirt_server.virsh("change-media", domain, "hda", "--eject", "--live", "--force")
    assert real.get(made).isos == []
    real.built.watching.tend()
    with pytest.raises(InUseError):
        delete(real, iso)
    libvirt_server.virsh("change-media", domain, "hda", "--eject", "--config")

    def is_free() -> bool:
        with real.built.catalog.reading() as tx:
            return not real.built.catalog.instances.users(tx, iso.id)

    until(is_free, "the ISO is nobody's")
    delete(real, iso)
