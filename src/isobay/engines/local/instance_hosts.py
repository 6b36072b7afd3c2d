"""Which host runs the instances of a zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from urllib.parse import urlsplit

from isobay.errors import SettingsError, UnavailableError
from isobay.hypervisor import Hypervisor
from isobay.model import Zone

Connect = Callable[[str], Hypervisor]
"""Makes the hypervisor of a connection URI, which asks nothing before its first call."""

EVERY = ""
OFF = "off"


def parse_hosts(text: str) -> dict[str, str]:
    """The URIs in ISOBAY_LIBVIRT, by the name of the zone; EVERY is all others.

    ``qemu:///system`` is for every zone, ``zone1=qemu:///system,zone2=qemu:///session`` for each its own, ``off``
    for none. Raises SettingsError.
    """
    hosts: dict[str, str] = {}
    for part in text.split(","):
        # A URI may hold an equals sign too, behind its scheme.
        before, sign, after = part.strip().partition("=")
        zone, uri = (before.strip(), after.strip()) if sign and ":" not in before else (EVERY, part.strip())
        if zone in hosts or not zone.isprintable() or not _names_a_host(uri):
            raise SettingsError(
                f"ISOBAY_LIBVIRT cannot be {text!r}: give one URI for all zones, as qemu:///system, one for each, as "
                "zone1=qemu:///system,zone2=qemu:///session, or off.",
                option="libvirt",
            )
        hosts[zone] = uri
    return hosts


def _names_a_host(uri: str) -> bool:
    parts = urlsplit(uri)
    is_qemu = parts.scheme == "qemu" or parts.scheme.startswith("qemu+")
    return uri == OFF or (is_qemu and parts.path in ("/system", "/session"))


def zones_of(hosts: Mapping[str, str]) -> list[str]:
    """The names of the zones that are named."""
    return sorted(zone for zone in hosts if zone != EVERY)


class Hosts:
    """The hosts, each made when it is first needed. Zones with one URI have one host."""

    def __init__(self, uris: Mapping[str, str], connect: Connect) -> None:
        self._uris = uris
        self._connect = connect
        self._lock = Lock()
        self._made: dict[str, Hypervisor] = {}

    def uri(self, zone: Zone) -> str:
        """Where the host of a zone is reached; empty where it has none."""
        uri = self._uris.get(zone.name, self._uris.get(EVERY, OFF))
        return "" if uri == OFF else uri

    def of(self, zone: Zone) -> Hypervisor:
        """The host of a zone. Raises UnavailableError where it has none."""
        uri = self.uri(zone)
        if not uri:
            raise UnavailableError(
                f"The zone {zone.name!r} has no host for instances. Name one in ISOBAY_LIBVIRT, as qemu:///system."
            )
        with self._lock:
            if uri not in self._made:
                self._made[uri] = self._connect(uri)
            return self._made[uri]
