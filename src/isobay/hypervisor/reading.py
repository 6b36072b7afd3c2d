"""What libvirt shows of a guest, whoever changed it: https://libvirt.org/formatdomain.html."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import libvirt

from isobay.hypervisor.domain_xml import OURS, TARGETS, read_drives
from isobay.hypervisor.interface import SLOTS, Drive, Power, Seen
from isobay.hypervisor.media import Media

_POWER: Mapping[int, Power] = {
    libvirt.VIR_DOMAIN_RUNNING: "Running",
    libvirt.VIR_DOMAIN_BLOCKED: "Running",
    libvirt.VIR_DOMAIN_PAUSED: "Error",  # it does not work, and holds its memory
    libvirt.VIR_DOMAIN_PMSUSPENDED: "Error",
    libvirt.VIR_DOMAIN_SHUTDOWN: "Stopping",
    libvirt.VIR_DOMAIN_SHUTOFF: "Stopped",
}
_PAUSED_BY_ITSELF: Mapping[int, Power] = {
    libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: "Starting",
    libvirt.VIR_DOMAIN_PAUSED_SHUTTING_DOWN: "Stopping",
}


def read_ours(xml: str, installation: str) -> Element | None:
    """A domain's description, where it is a guest of this installation."""
    domain = fromstring(xml)  # noqa: S314 -- written by libvirt, which the operator trusts
    mark = domain.find(f"metadata/{OURS}")
    if mark is None or mark.get("installation") != installation or mark.get("instance") != domain.findtext("uuid"):
        return None
    return domain


def read_seen(domain: Element, state: int, reason: int, leases: Mapping[str, str], media: Media) -> Seen:
    """A guest, from its description, its state with the reason, the addresses of MACs, and the host's media."""
    mac = domain.find("devices/interface/mac")
    return Seen(
        id=domain.findtext("uuid", ""),
        power=_power(state, reason),
        cpu_count=_cpus(domain),
        memory_mb=_memory_mb(domain),
        drives=drives_of(domain, media),
        # Who is switched off has given its address back, or will not miss it.
        ip=leases.get(mac.get("address", ""), "") if mac is not None and state != libvirt.VIR_DOMAIN_SHUTOFF else "",
        stopped_itself=_stopped_itself(state, reason),
    )


def read_stats(guest_id: str, stats: Mapping[str, Any], media: Media) -> Seen | None:
    """A guest that is switched off, from the numbers that virDomainListGetStats tells of it; the same as read_seen's.

    None where it has not the drives that isobay gave it: then only its description tells what they are.
    """
    disks = range(stats.get("block.count", 0))
    files = {stats[f"block.{number}.name"]: stats.get(f"block.{number}.path", "") for number in disks}
    targets = next((targets for targets in TARGETS if files.keys() >= set(targets)), None)
    if targets is None:
        return None
    state, reason = stats["state.state"], stats["state.reason"]
    drives = [media.image(files[target]) if files[target] else None for target in targets]
    return Seen(
        id=guest_id,
        power=_power(state, reason),
        cpu_count=stats["vcpu.current"],
        memory_mb=stats["balloon.current"] // 1024,
        drives=tuple(Drive(slot, image) for slot, image in enumerate(drives)),
        stopped_itself=_stopped_itself(state, reason),
    )


def read_leases(opened: Any) -> dict[str, str]:
    """The addresses that libvirt's networks gave, by MAC."""
    return {
        str(lease["mac"]): str(lease["ipaddr"])
        for network in opened.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)
        for lease in network.DHCPLeases()
    }


def _power(state: int, reason: int) -> Power:
    if state == libvirt.VIR_DOMAIN_PAUSED and reason in _PAUSED_BY_ITSELF:
        return _PAUSED_BY_ITSELF[reason]
    return _POWER.get(state, "Error")


def _stopped_itself(state: int, reason: int) -> bool:
    return (state, reason) == (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN)


def _cpus(domain: Element) -> int:
    vcpu = domain.find("vcpu")
    return 0 if vcpu is None else int(vcpu.get("current") or vcpu.text or 0)


def _memory_mb(domain: Element) -> int:
    # libvirt always answers in KiB, whatever unit it was told in.
    return int(domain.findtext("currentMemory") or domain.findtext("memory") or 0) // 1024


def drives_of(domain: Element, media: Media) -> tuple[Drive, ...]:
    """All its drives."""
    drives = read_drives(domain)
    return tuple(Drive(slot, _image(drives.get(slot), media)) for slot in range(SLOTS))


def _image(drive: Element | None, media: Media) -> Path | None:
    source = None if drive is None else drive.find("source")
    if source is None:
        return None
    # Ours are files; what others put in may be a device, or come from a server or a pool.
    place = next(filter(None, map(source.get, ("file", "dev", "name", "volume"))), "")
    return media.image(place) if place else None
