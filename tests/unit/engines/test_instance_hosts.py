"""Which host runs a zone's instances is read out of one setting."""

from __future__ import annotations

import pytest

from isobay.engines.local import Hosts, parse_hosts
from isobay.errors import SettingsError, UnavailableError
from isobay.hypervisor.memory import MemoryHypervisor
from isobay.hypervisor.uri import is_here
from isobay.model import Zone

ONE, TWO = Zone("1", "one"), Zone("2", "two")
SYSTEM, SSH = "qemu:///system", "qemu+ssh://host/system?keyfile=/key"


@pytest.mark.parametrize(
    ("text", "uris"),
    [
        (SYSTEM, (SYSTEM, SYSTEM)),
        (SSH, (SSH, SSH)),
        (f"one={SYSTEM}, two={SSH}", (SYSTEM, SSH)),
        (f"two={SSH},{SYSTEM}", (SYSTEM, SSH)),
        (f"two=off,{SYSTEM}", (SYSTEM, "")),
        (f"one={SYSTEM}", (SYSTEM, "")),
        ("off", ("", "")),
    ],
    ids=["one for all", "with a question", "each its own", "the rest", "one without", "the other without", "off"],
)
def test_zones_have_the_hosts_that_are_named(text: str, uris: tuple[str, str]) -> None:
    """A zone has the URI that names it, else the one for all, else none."""
    hosts = Hosts(parse_hosts(text), lambda _uri: MemoryHypervisor())
    assert (hosts.uri(ONE), hosts.uri(TWO)) == uris


@pytest.mark.parametrize(
    "text",
    [
        "",
        "libvirt",
        "bogus:",
        "http://host/system",
        "qemu:///nope",
        "one=",
        f"one={SYSTEM},one={SSH}",
        f"{SYSTEM},{SSH}",
        f"{SYSTEM},",
        f"o\nne={SYSTEM}",
    ],
)
def test_what_names_no_hosts_is_refused(text: str) -> None:
    """What is no URI, or names two for one zone, is an error of the setting that says what may be there."""
    with pytest.raises(SettingsError, match="ISOBAY_LIBVIRT cannot be"):
        parse_hosts(text)


def test_a_host_is_made_once_when_it_is_needed() -> None:
    """Zones with one URI share a host, which nobody makes before; a zone without says which setting names one."""
    made = []
    hosts = Hosts(parse_hosts(f"one={SYSTEM},two=off"), lambda uri: made.append(uri) or MemoryHypervisor())
    assert made == []
    assert hosts.of(ONE) is hosts.of(ONE)
    assert made == [SYSTEM]
    with pytest.raises(UnavailableError, match=r"'two' has no host .* ISOBAY_LIBVIRT"):
        hosts.of(TWO)


@pytest.mark.parametrize(
    ("uri", "here"),
    [
        (SYSTEM, True),
        ("qemu:///session?socket=/run/libvirt-sock", True),
        ("qemu+ssh://user@localhost/system", True),
        ("qemu+tcp://[::1]/system", True),
        ("qemu+ssh://user@localhost:2222/system", False),
        (SSH, False),
    ],
)
def test_this_machine_is_known(uri: str, here: bool) -> None:
    """A URI without a host, or with this machine's own name, leads here; one with a port may lead through a tunnel."""
    assert is_here(uri) is here
