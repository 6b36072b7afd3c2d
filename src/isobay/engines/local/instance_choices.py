"""What a new instance is made of: what is asked for, what its ISO boots with, and what its host can run."""

from __future__ import annotations

from msgspec import UNSET

from isobay.errors import HypervisorError, InvalidFieldsError, WrongStateError
from isobay.hypervisor import Firmware, Host, Network
from isobay.model import Iso, NewInstance, Zone

# BIOS first: it starts at once, and needs no firmware that the host may not have.
_PREFERRED: tuple[Firmware, ...] = ("bios", "uefi")
_MODE: dict[Firmware, str] = {"bios": "bios", "uefi": "uefi", "uefi-secure": "uefi"}
NETWORKS: tuple[Network, ...] = ("default", "user", "none")
UNKNOWN_ARCHITECTURE = "x86_64"


def iso_ids_of(wanted: NewInstance) -> list[str]:
    """The ids of the ISOs for the drives, from the first on. Raises InvalidFieldsError."""
    first, older = wanted.iso_id, wanted.template_id
    if isinstance(first, str) and isinstance(older, str) and first != older:
        raise InvalidFieldsError({"templateId": "is an older name of isoId, and says something else; give one of them"})
    chosen = first if isinstance(first, str) else older
    if not isinstance(chosen, str):
        raise InvalidFieldsError({"isoId": "is required: the ISO to boot from; GET …/isos lists them"})
    return [chosen, *wanted.additional_iso_ids]


def zone_of(wanted: NewInstance, zones: list[Zone], iso: Iso) -> Zone:
    """The zone to run in: that of the ISO where it is in one alone. Raises InvalidFieldsError."""
    found = [zone for zone in zones if zone.id in iso.available_in_zones]
    if wanted.zone_id is not UNSET:
        found = [zone for zone in found if zone.id == wanted.zone_id]
        if not found:
            raise InvalidFieldsError({"zoneId": "names no zone that the ISO is in; its availableInZones lists them"})
    if len(found) != 1:
        raise InvalidFieldsError({"zoneId": "is required: the ISO is in several zones, GET …/zones lists them"})
    return found[0]


def check_boots(iso: Iso) -> None:
    """Raise WrongStateError for an ISO that does not boot."""
    if not iso.bootable:
        raise WrongStateError(
            f"The ISO {iso.name!r} does not boot. Attach it to an instance, or set its bootable to true if you know "
            "better.",
            type="isos",
            id=iso.id,
            bootable=False,
        )


def machine_of(wanted: NewInstance, iso: Iso, host: Host, zone: Zone) -> tuple[str, Firmware]:
    """The architecture and the firmware: what the ISO boots with and the host has.

    Raises InvalidFieldsError for a firmware that the ISO does not boot with, HypervisorError for what the host lacks.
    """
    name = iso.architecture or UNKNOWN_ARCHITECTURE
    has = next((each for each in host.architectures if each.name == name), None)
    if has is None:
        others = ", ".join(each.name for each in host.architectures) or "nothing"
        raise HypervisorError(
            f"The ISO {iso.name!r} is for {name}, and the host of the zone {zone.name!r} runs {others}. Install QEMU's "
            "emulator for it there, or take another ISO.",
            architecture=name,
            zone=zone.name,
        )
    modes = iso.boot_modes or ["bios"]  # somebody said that it boots; nothing in it says how
    boots = [firmware for firmware in _MODE if _MODE[firmware] in modes]
    if wanted.firmware is not UNSET:
        if wanted.firmware not in boots:
            raise InvalidFieldsError({"firmware": f"must be one that the ISO boots with: {', '.join(boots) or 'none'}"})
        boots = [wanted.firmware]
    else:
        boots = [firmware for firmware in _PREFERRED if firmware in boots]
    for firmware in boots:
        if firmware in has.firmware:
            return name, firmware
    raise HypervisorError(
        f"The ISO {iso.name!r} boots with {' or '.join(boots) or ' and '.join(modes)}, and the host of the zone "
        f"{zone.name!r} has {', '.join(has.firmware) or 'no firmware'} for {name}. Install the firmware there "
        "(Debian's package ovmf for UEFI).",
        architecture=name,
        zone=zone.name,
    )


def network_of(wanted: NewInstance, host: Host, zone: Zone) -> Network:
    """The network: ``default`` where it runs, else user mode. Raises InvalidFieldsError, HypervisorError."""
    runs = "default" in host.networks
    if wanted.network_id is UNSET:
        return "default" if runs else "user"
    chosen = next((each for each in NETWORKS if each == wanted.network_id), None)
    if chosen is None:
        raise InvalidFieldsError({"networkId": f"must be one of {', '.join(NETWORKS)}"})
    if chosen == "default" and not runs:
        raise HypervisorError(
            f"The network default does not run on the host of the zone {zone.name!r}. Start it there with "
            "`virsh net-start default`, or take the network user.",
            network="default",
            zone=zone.name,
        )
    return chosen


def mac_of(instance_id: str) -> str:
    """The address of its network card: in the range of QEMU's own, and the same for ever."""
    last = instance_id[-6:]
    return f"52:54:00:{last[:2]}:{last[2:4]}:{last[4:]}"
