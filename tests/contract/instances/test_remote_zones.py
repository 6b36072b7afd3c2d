"""A zone on another machine, reached by SSH, beside one on this machine: through the API."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from booted import INSTANCES, Booted

from guests import FIRST_LINE
from hypervisors import Libvirt, says, until
from images import debian_like, image
from service import SEED, Service, serving
from ssh_host import SshHost, ssh_host

SIZE = {"cpuCount": 1, "memoryInMB": 64, "rootVolumeSizeInGb": 1, "firmware": "bios"}


class Zones(Booted):
    """A service with a zone on this machine, and one on another, by their ids; ``guests`` is on the other."""

    def __init__(self, service: Service, guests: Path, *, here: str, there: str) -> None:
        super().__init__(service, guests)
        self.guests = guests
        self.here = here
        self.there = there

    def sent(self) -> list[str]:
        """What lies on the other machine, but for what KVM was tried with."""
        return sorted(path.name for path in self.guests.iterdir() if path.name != "switch-off.img")


@pytest.fixture(scope="module")
def ssh() -> Iterator[SshHost]:
    """Run another machine."""
    with ssh_host() as host:
        yield host


@pytest.fixture
def zones(ssh: SshHost, libvirt_server: Libvirt) -> Iterator[Zones]:
    """Run a service over both."""
    data_dir = libvirt_server.data_dir()
    hosts = f"{libvirt_server.uri},there={ssh.uri}"
    with serving(data_dir, ISOBAY_LIBVIRT=hosts) as service:
        with service.behind.catalog.reading() as tx:
            (connection,) = service.behind.catalog.connections.all(tx)
            there, here = service.behind.catalog.connections.zones(tx, connection.id)
            installation = service.behind.catalog.instances.installation(tx)
        guests = ssh.libvirt.directory / "lib" / "isobay" / installation
        yield Zones(service, guests, here=here.id, there=there.id)
    ssh.libvirt.clear()


def test_an_instance_lives_on_another_machine(zones: Zones, ssh: SshHost, guest_iso: Path, tmp_path: Path):
    """Its ISO gets there and boots, others come and go; what was sent goes with its ISO, and its disk with itself."""
    boots = zones.service.add(guest_iso, "boots")
    data = zones.service.add(image(tmp_path / "data.iso", {"drivers.txt": ""}), "data")
    instance = zones.new(boots, firmware="bios", zoneId=zones.there)
    says(zones.log(instance), FIRST_LINE)
    says(zones.log(instance), "sr1 is empty")
    zones.change(instance, "attachIso", isoId=data["id"], slot=1)
    says(zones.log(instance), "sr1 has drivers.txt")
    zones.change(instance, "detachIso", slot=1)
    says(zones.log(instance), "sr1 is empty", times=2)
    assert len([name for name in zones.sent() if name.startswith("image+")]) == 2

    assert zones.service.client().delete(f"{SEED}/isos/{data['id']}").status_code == 200
    until(lambda: len([name for name in zones.sent() if "+" in name]) == 2, "the copy of the deleted ISO goes")
    shown = zones.shown(instance)
    assert (shown["state"], shown["zoneName"], shown["isoName"]) == ("Running", "there", "boots")
    assert zones.service.client().get(f"{INSTANCES}/{instance['id']}/screenshot").content.startswith(b"\x89PNG")
    zones.change(instance, "stop")
    assert ssh.libvirt.virsh("domstate", instance["id"]) == "shut off"
    zones.change(instance, "start")
    assert runs(zones, instance)

    zones.purge(instance)
    assert ssh.libvirt.virsh("list", "--all", "--uuid") == ""
    assert not [name for name in zones.sent() if instance["id"] in name]
    assert zones.service.client().delete(f"{SEED}/isos/{boots['id']}").status_code == 200
    until(lambda: zones.sent() == [], "nothing is left on the other machine")


def test_the_other_zone_goes_on(zones: Zones, ssh: SshHost, tmp_path: Path):
    """While a machine is away its instances say so, those of others go on, and none is lost; then it is there again."""
    boots = zones.service.add(debian_like(tmp_path / "boots.iso"), "boots")
    far = zones.new(boots, name="far", zoneId=zones.there, **SIZE)
    near = zones.new(boots, name="near", zoneId=zones.here, **SIZE)
    for each in (far, near):
        until(partial(runs, zones, each), "the instances run")
    ssh.cut()
    assert zones.shown(far)["state"] == "Running", "a connection that broke is opened again"
    ssh.stop()
    try:
        shown = {each["name"]: each for each in zones.service.get(INSTANCES)}
        assert shown["near"]["state"] == "Running"
        assert (shown["far"]["state"], shown["far"]["zoneName"]) == ("Error", "there")
        assert "The host of the instances cannot be reached" in shown["far"]["stateMessage"]
        wanted = {"name": "late", "isoId": boots["id"], "zoneId": zones.there, **SIZE}
        refused = zones.service.client().post(INSTANCES, json=wanted)
        assert refused.status_code == 503
        assert str(ssh.directory) not in refused.text + str(shown), "how the machine is reached is the operator's"
        zones.change(near, "stop", forceStop=True)
        zones.purge(near)
    finally:
        ssh.start()
    assert zones.shown(far)["state"] == "Running"
    zones.purge(far)


def runs(zones: Zones, instance: dict[str, Any]) -> bool:
    """Whether an instance runs."""
    return bool(zones.shown(instance)["state"] == "Running")
