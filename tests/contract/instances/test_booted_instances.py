"""Instances through the API, on a real libvirt: what their systems say on their serial lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from booted import INSTANCES, Booted

from guests import FIRST_LINE, guest_image
from hypervisors import Libvirt, says, until
from images import image
from service import SEED, serving


@pytest.fixture
def real(libvirt_server: Libvirt) -> Iterator[Booted]:
    """Run a service over the libvirt."""
    data_dir = libvirt_server.data_dir()
    with serving(data_dir, ISOBAY_LIBVIRT=libvirt_server.uri) as service:
        yield Booted(service, data_dir / "guests")


def test_an_instance_boots_and_sees_its_isos(real: Booted, libvirt_server: Libvirt, guest_iso: Path, tmp_path: Path):
    """It boots from its ISO, reads another that is attached, is shown as it is, and leaves nothing behind."""
    boots = real.service.add(guest_iso, "boots")
    data = real.service.add(image(tmp_path / "data.iso", {"drivers.txt": ""}), "data")
    assert (boots["bootable"], boots["bootModes"]) == (True, ["bios", "uefi"])
    instance = real.new(boots, firmware="bios")
    says(real.log(instance), FIRST_LINE)
    says(real.log(instance), "sr1 is empty")
    real.change(instance, "attachIso", isoId=data["id"], slot=1)
    says(real.log(instance), "sr1 has drivers.txt")
    refused = real.service.client().delete(f"{SEED}/isos/{data['id']}")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, 2018)
    assert "guest" in refused.json()["errors"][0]["message"]
    real.change(instance, "detachIso", slot=1)
    says(real.log(instance), "sr1 is empty", times=2)
    assert real.service.client().delete(f"{SEED}/isos/{data['id']}").status_code == 200
    real.change(instance, "stop")
    says(real.log(instance), "guest switches off")
    assert real.shown(instance)["state"] == "Stopped"
    libvirt_server.virsh("start", instance["id"])
    assert real.shown(instance)["state"] == "Running"
    disk = real.log(instance).with_suffix(".qcow2")
    assert disk.exists()
    real.purge(instance)
    assert real.service.client().get(f"{INSTANCES}/{instance['id']}").status_code == 404
    assert instance["id"] not in libvirt_server.virsh("list", "--all", "--uuid")
    assert not disk.exists()


def test_the_iso_is_ejected_at_the_first_reboot(real: Booted, tmp_path: Path):
    """The installer's first reboot leaves the tray empty, and the instance goes on; another boots by UEFI."""
    boots = real.service.add(guest_image(tmp_path / "reboots.iso", "reboot"), "reboots")
    instance = real.new(boots, firmware="bios", ejectAfterInstall=True)
    by_uefi = real.new(boots, name="by UEFI", firmware="uefi")
    says(real.log(instance), "guest reboots")

    def goes_on() -> bool:
        shown = real.shown(instance)
        return shown["isos"] == [] and shown["state"] == "Running"

    until(goes_on, "the instance goes on without its ISO")
    assert real.log(instance).read_text(errors="replace").count(FIRST_LINE) == 1
    assert real.service.client().get(f"{INSTANCES}/{instance['id']}/screenshot").content.startswith(b"\x89PNG")
    says(real.log(by_uefi), FIRST_LINE)
    for each in (instance, by_uefi):
        real.purge(each)
