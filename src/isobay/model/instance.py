"""An instance: a guest that was made from a bootable ISO, as CloudMC shows it and as isobay adds to it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from isobay.model.iso import Name
from isobay.model.requests import Text

InstanceState = Literal["Running", "Stopped", "Starting", "Stopping", "Error", "Destroyed"]
InstanceFirmware = Literal["bios", "uefi", "uefi-secure"]
InstanceNetwork = Literal["none", "user", "default"]
MAX_ISOS = 4
MAX_CPUS = 64
MIN_MEMORY_MB, MAX_MEMORY_MB = 64, 1 << 20
MAX_DISK_GB = 16_384

IsoId = Annotated[str, Meta(min_length=1, max_length=36)]
Cpus = Annotated[int, Meta(ge=1, le=MAX_CPUS)]
MemoryInMb = Annotated[int, Meta(ge=MIN_MEMORY_MB, le=MAX_MEMORY_MB)]
DiskInGb = Annotated[int, Meta(ge=1, le=MAX_DISK_GB)]
Slot = Annotated[int, Meta(ge=0, lt=MAX_ISOS, description="The drive, from 0 on")]


class AttachedIso(Struct, rename="camel", frozen=True):
    """An ISO in a drive of an instance. One that is not seen from here any more has no name.

    What somebody at the host put there without isobay has neither name nor id.
    """

    slot: int
    iso_id: str = ""
    iso_name: str = ""


class Instance(Struct, rename="camel", kw_only=True, frozen=True):
    """One instance. ``iso_id`` and ``iso_name`` are those of the first drive; ``isos`` has all that hold something."""

    id: str
    name: Name
    hostname: str = ""
    state: InstanceState = "Stopped"
    state_message: str = ""
    cpu_count: int = 1
    memory_in_mb: Annotated[int, Meta(description="MiB")] = msgspec.field(default=0, name="memoryInMB")
    root_volume_size_in_gb: Annotated[int, Meta(description="GiB")] = 0
    image_id: str = ""
    image_name: str = ""
    zone_id: str = ""
    zone_name: str = ""
    mac_address: str = ""
    ip_address: str = ""
    network_id: str = ""
    network_name: str = ""
    compute_offering_id: str = ""
    compute_offering_name: str = ""
    iso_id: str = ""
    iso_name: str = ""
    isos: list[AttachedIso] = []
    architecture: str = ""
    firmware: InstanceFirmware = "bios"
    eject_after_install: bool = False
    created: str = ""
    updated: str = ""


class NewInstance(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What makes an instance. ``template_id`` is CloudMC's older name for what to boot from: here, an ISO too.

    Without an offering, CPUs or memory it gets what libosinfo recommends for the ISO's system, or a small default.
    """

    name: Name
    iso_id: IsoId | UnsetType = UNSET
    template_id: IsoId | UnsetType = UNSET
    compute_offering_id: Text | UnsetType = UNSET
    cpu_count: Cpus | UnsetType = UNSET
    memory_in_mb: MemoryInMb | UnsetType = msgspec.field(default=UNSET, name="memoryInMB")
    root_volume_size_in_gb: DiskInGb | UnsetType = UNSET
    zone_id: Text | UnsetType = UNSET
    network_id: Text | UnsetType = UNSET
    firmware: InstanceFirmware | UnsetType = UNSET
    additional_iso_ids: Annotated[list[IsoId], Meta(max_length=MAX_ISOS - 1)] = []
    eject_after_install: bool = False


class InstanceEdit(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What may be changed of an instance; what is left out stays as it is."""

    name: Name | UnsetType = UNSET


class ComputeOffering(Struct, rename="camel", kw_only=True, frozen=True):
    """A size of instances. That of a custom one comes with the instance: its numbers here are 0."""

    id: str
    name: str
    cpu_count: int = 0
    memory_in_mb: int = msgspec.field(default=0, name="memoryInMB")
    custom: bool = False
