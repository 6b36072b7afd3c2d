"""Which addresses may be dialled: IANA's registries of special-purpose addresses, row by row, in every wrapping."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobay.errors import AddressError, SettingsError
from isobay.transfer.guard import AddressGuard

GUARD = AddressGuard.of("")

# The registries' rows that are not globally reachable, multicast, and the rows that are but serve no images:
# anycast of the caller's own network, and identifiers that are no places (192.0.0.0/24, 2001::/23).
REFUSED = {
    "0.0.0.0/32": "unspecified",
    "0.0.0.1/32": "this network",
    "0.128.0.0/9": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier-grade NAT",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "metadata",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocols",
    "192.0.0.0/29": "protocols",
    "192.0.0.8/32": "protocols",
    "192.0.0.9/32": "protocols",
    "192.0.0.10/32": "protocols",
    "192.0.0.170/31": "protocols",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmark",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/5": "reserved",
    "255.255.255.255/32": "broadcast",
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::8.0.0.0/104": "compatible",
    "::ffff:127.0.0.0/104": "loopback",
    "64:ff9b:1::/48": "NAT64",
    "100::/64": "discard",
    "100:0:0:1::/64": "reserved",
    "2001::/32": "Teredo",
    "2001:1::1/128": "protocols",
    "2001:1::2/128": "protocols",
    "2001:1::3/128": "protocols",
    "2001:2::/48": "benchmark",
    "2001:3::/32": "protocols",
    "2001:4:112::/48": "protocols",
    "2001:10::/28": "protocols",
    "2001:20::/28": "protocols",
    "2001:30::/28": "protocols",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique-local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
    "4000::/3": "reserved",
    "e000::/4": "reserved",
    "1::/16": "reserved",
}
# Rows that are globally reachable, the neighbours of those that are not, and some of the open internet.
PUBLIC = [
    "1.0.0.0/24",
    "8.8.8.8/32",
    "9.255.255.255/32",
    "11.0.0.0/32",
    "100.63.255.255/32",
    "100.128.0.0/32",
    "126.255.255.255/32",
    "128.0.0.0/32",
    "169.253.255.255/32",
    "169.255.0.0/32",
    "172.15.255.255/32",
    "172.32.0.0/32",
    "192.0.1.0/24",
    "192.0.3.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.98.0/24",
    "192.167.255.255/32",
    "192.169.0.0/32",
    "192.175.48.0/24",
    "198.17.255.255/32",
    "198.20.0.0/32",
    "223.255.255.255/32",
    "2000::/17",
    "2001:200::/24",
    "2001:db7:ffff::/48",
    "2001:db9::/32",
    "2003::/17",
    "2606:4700::/32",
    "2620:4f:8000::/48",
    "3ffe::/16",
    "3fff:1000::/20",
]
INSIDE = [IPv4Network(row) for row in REFUSED if ":" not in row]
WRAPPINGS = {
    "mapped": lambda inner: int(IPv6Address("::ffff:0:0")) | inner,
    "compatible": lambda inner: inner,
    "nat64": lambda inner: int(IPv6Address("64:ff9b::")) | inner,
    "local nat64": lambda inner: int(IPv6Address("64:ff9b:1::")) | inner,
    "6to4": lambda inner: int(IPv6Address("2002::")) | inner << 80,
    "teredo server": lambda inner: int(IPv6Address("2001::")) | inner << 64,
    "teredo client": lambda inner: int(IPv6Address("2001::")) | inner ^ 0xFFFFFFFF,
    "translated": lambda inner: int(IPv6Address("::ffff:0:0:0")) | inner,
}


def _within(network: IPv4Network | IPv6Network) -> st.SearchStrategy[int]:
    return st.integers(int(network.network_address), int(network.broadcast_address))


inside = st.sampled_from(INSIDE).flatmap(_within)


@pytest.mark.parametrize(("row", "reason"), REFUSED.items())
def test_special_addresses_are_refused(row: str, reason: str) -> None:
    """The first and the last address of each special network are refused, with the reason in words."""
    network = ip_network(row)
    assert reason in str(GUARD.refusal(str(network[0])))
    assert reason in str(GUARD.refusal(str(network[-1])))


@pytest.mark.parametrize("row", PUBLIC)
def test_public_addresses_may_be_dialled(row: str) -> None:
    """The first and the last address of networks beside the special ones may be dialled."""
    network = ip_network(row)
    assert (GUARD.refusal(str(network[0])), GUARD.refusal(str(network[-1]))) == (None, None)


@given(inside, st.sampled_from(sorted(WRAPPINGS)))
def test_no_wrapping_carries_a_refused_address(inner: int, wrapping: str) -> None:
    """An IPv4 address that is refused is refused in every form that IPv6 has for it."""
    assert GUARD.refusal(str(IPv4Address(inner)))
    assert GUARD.refusal(str(IPv6Address(WRAPPINGS[wrapping](inner))))


@given(
    st.one_of(
        st.integers(0, 2**32 - 1).map(IPv4Address),
        st.integers(0, 2**128 - 1).map(IPv6Address),
        st.integers(0, 2**125 - 1).map(lambda rest: IPv6Address(1 << 125 | rest)),
    )
)
def test_whatever_passes_is_public_to_python_too(address: IPv4Address | IPv6Address) -> None:
    """The standard library, a second opinion, calls nothing private that the guard lets pass."""
    if GUARD.refusal(str(address)) is None:
        inner = getattr(address, "ipv4_mapped", None) or address
        assert inner.is_global
        assert not inner.is_multicast


@pytest.mark.parametrize("address", ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2606:4700::1%eth0"])
def test_a_public_address_in_another_form_may_be_dialled(address: str) -> None:
    """The mapped form and the NAT64 form of a public address are public; a zone changes nothing."""
    assert GUARD.refusal(address) is None


@pytest.mark.parametrize(
    "address",
    ["fe80::1%eth0", "::1%lo", "::ffff:127.0.0.1%1", "::ffff:7f00:1", "0:0:0:0:0:ffff:127.0.0.1", "FE80::1"],
)
def test_other_notations_of_a_refused_address_are_refused(address: str) -> None:
    """Zones, hexadecimal and long forms do not hide an address."""
    assert GUARD.refusal(address)


@pytest.mark.parametrize("address", ["", "localhost", "127.1", "0x7f000001", "/run/socket", "8.8.8.8:80", "[::1]"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """A text that no socket is connected to is not let through for want of a rule."""
    assert GUARD.refusal(address) == "not an IP address"


def test_allowed_networks_may_be_dialled() -> None:
    """What the operator names may be dialled, in its mapped form too, and nothing beside it."""
    guard = AddressGuard.of(" 10.0.0.0/8, 192.168.7.20 ,fd00::/8,::ffff:172.16.0.0/108")
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "192.168.7.20", "fd00::1", "172.31.0.1", "8.8.8.8", "2606:4700::1"):
        assert guard.refusal(address) is None
    for address in ("192.168.7.21", "127.0.0.1", "::ffff:127.0.0.1", "fc00::1", "2002:a00:1::"):
        assert guard.refusal(address)


def test_all_of_ipv6_is_none_of_ipv4() -> None:
    """An operator who allows every IPv6 address has not allowed the IPv4 ones that are written as such."""
    guard = AddressGuard.of("::/0")
    assert guard.refusal("fd00::1") is None
    assert guard.refusal("::ffff:127.0.0.1") == "a loopback address"


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "localhost", "10.0.0.0/8,", "10.0.0.0/8 fd00::/8"])
def test_networks_that_cannot_be_read_are_named(text: str) -> None:
    """A list of networks that cannot be read is refused with the variable's name and what it may be."""
    with pytest.raises(SettingsError, match=r"ISOBAY_ALLOWED_NETWORKS cannot be .* as 10\.0\.0\.0/8"):
        AddressGuard.of(text)


def test_the_refusal_names_host_address_reason_and_way_out() -> None:
    """The error says which name led to which address, why that is refused, and how to allow it."""
    with pytest.raises(AddressError) as caught:
        GUARD.check("169.254.169.254", "images.example")
    assert str(caught.value) == (
        "images.example leads to 169.254.169.254, which is a link-local address, where clouds keep their metadata; "
        "isobay does not connect there. "
        "If images are to be fetched from there, name its network in ISOBAY_ALLOWED_NETWORKS."
    )
    assert caught.value.context == {"host": "images.example", "address": "169.254.169.254"}
    with pytest.raises(AddressError, match=r"^10\.0\.0\.1 is a private address"):
        GUARD.check("10.0.0.1", "10.0.0.1")
    GUARD.check("8.8.8.8", "images.example")
