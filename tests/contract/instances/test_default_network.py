"""Instances on libvirt's network default, as Debian's package libvirt-daemon-config-network has it: real leases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest
from booted import INSTANCES, Booted

from hypervisors import Libvirt, libvirt, until
from images import packaged
from servers import leave_out
from service import serving

ADDRESSES = ip_network("192.168.122.0/24")
DEFAULT = f"""
<network>
  <name>default</name>
  <forward mode="nat"/>
  <bridge name="virbr0" stp="on" delay="0"/>
  <ip address="{ADDRESSES[1]}" netmask="{ADDRESSES.netmask}">
    <dhcp><range start="{ADDRESSES[2]}" end="{ADDRESSES[-2]}"/></dhcp>
  </ip>
</network>
"""


@pytest.fixture
def networked() -> Iterator[Libvirt]:
    """Run a libvirt whose network default runs, where no network of the machine is."""
    missing = [program for program in ("dnsmasq", "iptables", "ip") if not shutil.which(program)]
    if missing:
        leave_out(f"{', '.join(missing)} missing: install Debian's dnsmasq-base, iptables and iproute2")
    with libvirt(alone=True) as server:
        file = server.directory / "default.xml"
        file.write_text(DEFAULT)
        server.virsh("net-define", str(file))
        server.virsh("net-start", "default")
        yield server
        server.clear()


def test_an_instance_shows_the_address_that_it_was_given(networked: Libvirt):
    """An instance is in the network default unless it says otherwise; its address is that of its lease, while it runs.

    iPXE is the guest: it has a driver for the network card, and asks for an address as soon as it is up.
    """
    data_dir = networked.data_dir()
    with serving(data_dir, ISOBAY_LIBVIRT=networked.uri) as service:
        booted = Booted(service, data_dir / "guests")
        iso = service.add(packaged("ipxe"), "ipxe")
        instance = booted.new(iso, firmware="bios")
        beside = booted.new(iso, name="beside", firmware="bios", networkId="user")
        until(lambda: booted.shown(instance)["ipAddress"], "the guest is given an address")

        shown = booted.shown(instance)
        assert ip_address(shown["ipAddress"]) in ADDRESSES
        assert (shown["networkId"], shown["networkName"]) == ("default", "default")
        assert shown["macAddress"] == networked.domain(instance["id"]).find("devices/interface/mac").get("address")
        (lease,) = (line.split() for line in networked.virsh("net-dhcp-leases", "default").splitlines())
        assert (lease[2], lease[4]) == (shown["macAddress"], f"{shown['ipAddress']}/{ADDRESSES.prefixlen}")
        listed = {each["name"]: each["ipAddress"] for each in service.get(INSTANCES)}
        assert listed == {"guest": shown["ipAddress"], "beside": ""}

        booted.change(instance, "stop", forceStop=True)
        assert booted.shown(instance)["ipAddress"] == ""
        networked.virsh("net-destroy", "default")
        wanted = {"name": "late", "isoId": iso["id"], "networkId": "default"}
        refused = service.client().post(INSTANCES, json=wanted)
        assert refused.status_code != 200
        assert "Start it there with `virsh net-start default`" in refused.json()["errors"][0]["message"]
        assert (booted.shown(beside)["state"], booted.shown(beside)["networkName"]) == ("Running", "user")
        for each in (instance, beside):
            booted.purge(each)
