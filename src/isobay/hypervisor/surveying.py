"""All guests at a glance: those that rest, in one answer of libvirt's; of those that run, each is asked for.

libvirt tells sizes and drives of many domains at once, but asks QEMU about those that run, and waits without an end
for one that hangs. A domain's description it always has at hand.
"""

from __future__ import annotations

from typing import Any

import libvirt

from isobay.hypervisor.connection import is_code
from isobay.hypervisor.interface import Seen
from isobay.hypervisor.media import Media
from isobay.hypervisor.reading import read_leases, read_ours, read_seen, read_stats

_ALL = libvirt.VIR_DOMAIN_STATS_STATE
_RESTING = _ALL | libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_BALLOON | libvirt.VIR_DOMAIN_STATS_BLOCK
_NOWAIT = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT


class Survey:
    """Sees all guests of one installation. It remembers whose each domain is, which only descriptions tell."""

    def __init__(self, installation: str, media: Media) -> None:
        self._installation = installation
        self._media = media
        self._ours: dict[str, bool] = {}

    def look(self, opened: Any) -> dict[str, Seen]:
        """All guests, by id. Raises libvirtError."""
        leases = read_leases(opened)
        listed = {domain.UUIDString(): (domain, told) for domain, told in opened.getAllDomainStats(_ALL, _NOWAIT)}
        ours = {guest_id: is_ours for guest_id, is_ours in self._ours.items() if guest_id in listed}
        resting = self._resting(opened, [domain for domain, told in listed.values() if _rests(told)], ours)
        found = {}
        for guest_id, (domain, told) in listed.items():
            seen = resting.get(guest_id)
            if seen is None and ours.get(guest_id, True):
                seen = self._described(domain, told, leases, ours)
            if seen is not None:
                found[guest_id] = seen
        self._ours = ours
        return found

    def _resting(self, opened: Any, domains: list[Any], ours: dict[str, bool]) -> dict[str, Seen]:
        """Those of the domains that are known as ours, still rest, and have the drives that isobay gave them."""
        known = [domain for domain in domains if ours.get(domain.UUIDString())]
        told = opened.domainListGetStats(known, _RESTING, _NOWAIT) if known else []
        seen = [read_stats(domain.UUIDString(), stats, self._media) for domain, stats in told if _rests(stats)]
        return {each.id: each for each in seen if each}

    def _described(self, domain: Any, told: Any, leases: dict[str, str], ours: dict[str, bool]) -> Seen | None:
        guest_id = domain.UUIDString()
        try:
            description = read_ours(domain.XMLDesc(0), self._installation)
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
                raise
            return None
        ours[guest_id] = description is not None
        if description is None:
            return None
        return read_seen(description, told["state.state"], told["state.reason"], leases, self._media)


def _rests(told: Any) -> bool:
    return bool(told["state.state"] == libvirt.VIR_DOMAIN_SHUTOFF)
