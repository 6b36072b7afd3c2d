"""Which addresses may be dialled: the public internet's, and those that the operator names.

Python's own ``is_global`` answers differently from version to version, so the tables are here. They follow IANA's
registries of special-purpose addresses (RFC 6890) and refuse a little more: the anycast services inside 192.0.0.0/24
and 2001::/23 answer from the caller's own network, and no image is ever fetched from them.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct

from isobay.errors import AddressError, SettingsError

_VARIABLE = "ISOBAY_ALLOWED_NETWORKS"
_MAPPED = IPv6Network("::ffff:0:0/96")  # RFC 4291 2.5.5.2: the kernel dials the IPv4 address itself
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: a translator dials the IPv4 address
_IPV6_UNICAST = IPv6Network("2000::/3")

# The first network that holds an address says why it is refused.
_REFUSED_IPV4 = [
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/32", "the unspecified address"),
        ("0.0.0.0/8", "an address of “this network” (RFC 791)"),
        ("10.0.0.0/8", "a private address (RFC 1918)"),
        ("100.64.0.0/10", "an address of carrier-grade NAT (RFC 6598)"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address, where clouds keep their metadata"),
        ("172.16.0.0/12", "a private address (RFC 1918)"),
        ("192.0.0.0/24", "an address reserved for protocols (RFC 6890)"),
        ("192.0.2.0/24", "a documentation address (RFC 5737)"),
        ("192.88.99.0/24", "a relay address of 6to4 (RFC 7526)"),
        ("192.168.0.0/16", "a private address (RFC 1918)"),
        ("198.18.0.0/15", "a benchmark address (RFC 2544)"),
        ("198.51.100.0/24", "a documentation address (RFC 5737)"),
        ("203.0.113.0/24", "a documentation address (RFC 5737)"),
        ("224.0.0.0/4", "a multicast address"),
        ("255.255.255.255/32", "the broadcast address"),
        ("240.0.0.0/4", "a reserved address (RFC 1112)"),
    )
]
_REFUSED_IPV6 = [
    (IPv6Network(network), reason)
    for network, reason in (
        ("::/128", "the unspecified address"),
        ("::1/128", "a loopback address"),
        ("::/96", "an IPv4 address in the withdrawn compatible form (RFC 4291)"),
        ("64:ff9b:1::/48", "an IPv4 address behind a local NAT64 translator (RFC 8215)"),
        ("100::/64", "a discard address (RFC 6666)"),
        ("2001::/32", "an IPv4 address inside a Teredo tunnel (RFC 4380)"),
        ("2001:2::/48", "a benchmark address (RFC 5180)"),
        ("2001::/23", "an address reserved for protocols (RFC 2928)"),
        ("2001:db8::/32", "a documentation address (RFC 3849)"),
        ("2002::/16", "an IPv4 address inside a 6to4 tunnel (RFC 3056)"),
        ("3fff::/20", "a documentation address (RFC 9637)"),
        ("5f00::/16", "a segment routing address (RFC 9602)"),
        ("fc00::/7", "a unique-local address (RFC 4193)"),
        ("fe80::/10", "a link-local address, where clouds keep their metadata"),
        ("fec0::/10", "a site-local address (RFC 3879)"),
        ("ff00::/8", "a multicast address"),
    )
]


class AddressGuard(Struct, frozen=True):
    """Judges addresses. Those in ``allowed`` networks may be dialled though they are not public."""

    allowed: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, text: str) -> AddressGuard:
        """Read the networks of ``settings.allowed_networks``, as "10.0.0.0/8, 192.168.7.20, fd00::/8".

        Raises SettingsError for anything that is not an address or a network.
        """
        try:
            return cls(tuple(_network(part.strip()) for part in text.split(",")) if text.strip() else ())
        except ValueError as error:
            raise SettingsError(
                f"{_VARIABLE} cannot be {text!r}: {error}. "
                "Write addresses and networks with commas between them, as 10.0.0.0/8,192.168.7.20,fd00::/8.",
                option="allowed_networks",
            ) from error

    def refusal(self, address: str) -> str | None:
        """Say why the address may not be dialled, as a phrase that follows "is"; None where it may.

        ``address`` is what a socket is about to connect to, in the form of inet_ntop, a zone (``%eth0``) included.
        """
        try:
            judged = ip_address(address)
        except ValueError:
            return "not an IP address"
        if isinstance(judged, IPv6Address) and judged in _MAPPED:
            judged = _last_32_bits(judged)
        if any(judged in network for network in self.allowed):
            return None
        if isinstance(judged, IPv6Address) and judged in _NAT64:
            reason = self.refusal(str(_last_32_bits(judged)))
            return reason and f"the NAT64 form of {reason}"
        return _reason(judged)

    def check(self, address: str, host: str) -> None:
        """Raise AddressError where the address, to which the host's name led, may not be dialled."""
        reason = self.refusal(address)
        if reason:
            subject = f"{host} leads to {address}, which" if host != address else host
            raise AddressError(
                f"{subject} is {reason}; isobay does not connect there. "
                f"If images are to be fetched from there, name its network in {_VARIABLE}.",
                host=host,
                address=address,
            )


def _reason(address: IPv4Address | IPv6Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((reason for network, reason in _REFUSED_IPV4 if address in network), None)
    for network, reason in _REFUSED_IPV6:
        if address in network:
            return reason
    return None if address in _IPV6_UNICAST else "a reserved address (RFC 4291)"


def _network(text: str) -> IPv4Network | IPv6Network:
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        # Addresses are judged after they are unwrapped, so networks are kept unwrapped.
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def _last_32_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)
