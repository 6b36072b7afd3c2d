"""What a new instance is made of, and what is refused before anything is made."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from rack import SMALL, built_on

from isobay.errors import HypervisorError, InvalidFieldsError, NotFoundError, QuotaError, WrongStateError
from isobay.hypervisor import Architecture, Host
from isobay.hypervisor.memory import MemoryHypervisor

DEBIAN = "http://debian.org/debian/11"
BARE = Host("bare", (Architecture("x86_64", ("bios",), accelerated=False),), networks=())


def unsized(**fields):
    """The fields of an instance that say nothing of its size but what is given."""
    return {**dict.fromkeys(SMALL, UNSET), **fields}


def test_a_system_gets_what_its_rules_recommend(rack, bootable):
    """Without a size an instance has what libosinfo recommends for the system of its ISO."""
    made = rack.make(rack.shelve(bootable, "debian", os_id=DEBIAN), **unsized())
    assert (made.cpu_count, made.memory_in_mb, made.root_volume_size_in_gb) == (1, 1024, 20)
    assert made.compute_offering_name == "Custom"


def test_an_offering_has_its_size(rack, bootable):
    """A chosen offering gives its processors and memory, and takes none beside; the custom one takes them."""
    iso = rack.shelve(bootable, "system")
    offered = {each.name: each for each in rack.instances.offerings(rack.here.place)}
    chosen = offered["2vCPU.4GB"]

    made = rack.make(iso, **unsized(compute_offering_id=chosen.id))
    assert (made.cpu_count, made.memory_in_mb, made.compute_offering_id) == (2, 4096, chosen.id)
    made = rack.make(iso, **unsized(compute_offering_id=offered["Custom"].id, cpu_count=3, memory_in_mb=640))
    assert (made.cpu_count, made.memory_in_mb) == (3, 640)
    with pytest.raises(InvalidFieldsError) as caught:
        rack.ask(iso, **unsized(compute_offering_id=chosen.id, cpu_count=3))
    assert list(caught.value.context["fields"]) == ["cpuCount"]
    with pytest.raises(NotFoundError):
        rack.ask(iso, **unsized(compute_offering_id="none"))


@pytest.mark.parametrize(
    ("modes", "asked", "chosen"),
    [
        (["bios", "uefi"], None, "bios"),
        (["uefi"], None, "uefi"),
        (["bios", "uefi"], "uefi", "uefi"),
        (["uefi"], "uefi-secure", "uefi-secure"),
        ([], None, "bios"),
    ],
    ids=["both", "uefi alone", "asked", "secure", "unknown"],
)
def test_firmware_is_one_that_the_iso_boots_with(rack, bootable, modes, asked, chosen):
    """BIOS where the ISO boots so, else UEFI; what is asked for wins, and Secure Boot is there only then."""
    iso = rack.shelve(bootable, "system", boot_modes=modes)
    made = rack.make(iso, **({"firmware": asked} if asked else {}))
    assert made.firmware == chosen
    assert rack.hypervisor.defined(made.id).firmware == chosen


def test_firmware_that_does_not_boot_the_iso_is_refused(rack, bootable):
    """The answer names what the ISO boots with."""
    iso = rack.shelve(bootable, "system", boot_modes=["bios"])
    with pytest.raises(InvalidFieldsError, match="boots with: bios"):
        rack.ask(iso, firmware="uefi-secure")


def test_a_host_that_cannot_is_named(tmp_path, bootable):
    """An architecture, a firmware or a network that the host lacks is refused with what to do, and nothing is made."""
    rack = built_on(MemoryHypervisor(BARE), tmp_path / "data")
    arm = rack.shelve(bootable, "arm", architecture="aarch64")
    efi = rack.shelve(bootable, "efi", boot_modes=["uefi"])
    plain = rack.shelve(bootable, "plain")
    with pytest.raises(HypervisorError, match="is for aarch64, and the host of the zone 'zone1' runs x86_64"):
        rack.ask(arm)
    with pytest.raises(HypervisorError, match=r"boots with uefi, and the host .* has bios .*ovmf"):
        rack.ask(efi)
    with pytest.raises(HypervisorError, match="net-start default"):
        rack.ask(plain, network_id="default")

    assert rack.all() == []
    assert rack.ask(plain)[0].network_id == "user"
    rack.built.catalog.close()


def test_the_network_is_chosen(rack, bootable):
    """The host's network where it runs, another where it is asked for, and no other than there are."""
    iso = rack.shelve(bootable, "system")
    made = rack.make(iso)
    assert made.network_id == "default"
    assert rack.make(iso, network_id="none").network_name == "none"
    assert rack.hypervisor.defined(made.id).mac == made.mac_address
    assert made.mac_address.startswith("52:54:00:")
    with pytest.raises(InvalidFieldsError, match="default, user, none"):
        rack.ask(iso, network_id="bridge0")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"iso_id": UNSET}, "isoId"),
        ({"template_id": "another"}, "templateId"),
        ({"zone_id": "nowhere"}, "zoneId"),
    ],
    ids=["no ISO", "two ISOs", "no zone"],
)
def test_what_contradicts_itself_is_refused(rack, bootable, fields, named):
    """The field that is wrong is named."""
    iso = rack.shelve(bootable, "system")
    with pytest.raises(InvalidFieldsError) as caught:
        rack.ask(iso, **fields)
    assert list(caught.value.context["fields"]) == [named]


def test_an_older_client_names_a_template(rack, bootable):
    """What CloudMC calls a template is the ISO to boot from."""
    iso = rack.shelve(bootable, "system")
    assert rack.make(iso, iso_id=UNSET, template_id=iso.id).iso_id == iso.id


def test_only_isos_that_boot_and_are_ready_make_instances(rack, bootable, data):
    """An ISO that does not boot, is not ready, or is not in the zone is refused in a sentence that says so."""
    cases = [
        (rack.shelve(data, "data"), "does not boot"),
        (rack.shelve(bootable, "half", ready=False, status="importing"), "is importing"),
    ]
    for iso, sentence in cases:
        with pytest.raises(WrongStateError, match=sentence):
            rack.ask(iso)
    with pytest.raises(WrongStateError, match="is not in the zone"):
        rack.ask(rack.shelve(bootable, "system"), additional_iso_ids=[rack.say(cases[0][0], available_in_zones=[]).id])
    assert rack.all() == []


def test_an_environment_has_a_bound(twin, tmp_path, bootable):
    """No more instances are made than an environment may have, and destroyed ones count."""
    rack = built_on(twin, tmp_path / "data", environment_instances="1")
    iso = rack.shelve(bootable, "system")
    with rack.working():
        made = rack.make(iso)
        rack.do("destroy", made, purge=False)
        with pytest.raises(QuotaError, match="may have 1"):
            rack.ask(iso)
        rack.do("purge", made)
        rack.make(iso)
    rack.built.catalog.close()
