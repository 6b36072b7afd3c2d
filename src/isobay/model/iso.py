"""An ISO: the seed's nine fields, what CloudMC added later, and what isobay reads out of the image."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from isobay.model.environment import EnvironmentName

IsoStatus = Literal["importing", "uploading", "inspecting", "ready", "failed", "deleting"]
Visibility = Literal["private", "shared", "public"]
Checksums = dict[str, str]
BootResult = Literal["shown", "nothing shown", "failed", "not tried"]

# PostgreSQL refuses index entries over 2,704 bytes, and every character may take four.
NAME_LENGTH = 255
DESCRIPTION_LENGTH = 512

Name = Annotated[
    str,
    Meta(min_length=1, max_length=NAME_LENGTH, pattern=r"^[^\x00-\x1f\x7f]*\Z", description="The name of the ISO"),
]
Description = Annotated[
    str, Meta(max_length=DESCRIPTION_LENGTH, pattern=r"^[^\x00]*$", description="The description of the ISO")
]


class BootProof(Struct, rename="camel", kw_only=True, frozen=True):
    """What came of booting an ISO in one of its modes: after how many seconds it showed something, or was given up."""

    mode: Annotated[str, Meta(description="bios, uefi, … as in bootModes; uefi-secure is uefi with Secure Boot")]
    result: Annotated[BootResult, Meta(description="Whether it showed anything that is not the firmware's")]
    seconds: float = 0.0
    message: str = ""


class Iso(Struct, rename="camel", kw_only=True, frozen=True):
    """One ISO as the API shows it. Sizes are bytes, dates RFC 3339 UTC, unknown text is empty."""

    id: str
    name: Name
    description: Description = ""
    size: Annotated[int, Meta(description="The size of the ISO in bytes")] = 0
    ready: Annotated[bool, Meta(description="true if the ISO is ready to be used")] = False
    bootable: Annotated[bool, Meta(description="true if the ISO can be used for a new instance")] = False
    os_type_id: Annotated[str, Meta(description="Id of the OS type")] = ""
    os_type_name: Annotated[str, Meta(description="The OS type of the ISO")] = ""
    zone_id: Annotated[str, Meta(description="The zone; empty if the ISO is in several")] = ""
    zone_name: str = ""
    architecture_width: Annotated[int, Meta(description="32 or 64, the number of bits")] = 64
    available_publicly: bool = False
    extractable: bool = False
    created: Annotated[str, Meta(description="RFC 3339, UTC")] = ""
    available_in_zones: list[str] = []
    status: IsoStatus = "inspecting"
    status_message: str = ""
    progress: Annotated[float, Meta(ge=0, le=1)] = 0.0
    checksums: Annotated[Checksums, Meta(description="Hex digests by algorithm, sha256 always when ready")] = {}
    architecture: Annotated[str, Meta(description="x86_64, aarch64, i686, …; empty if unknown")] = ""
    boot_modes: Annotated[list[str], Meta(description="The firmware that boots it: bios, uefi, …")] = []
    os_id: Annotated[str, Meta(description="The libosinfo id; empty if unknown")] = ""
    os_version: str = ""
    os_variant: str = ""
    live: bool = False
    installer: bool = False
    volume_label: str = ""
    formats: Annotated[
        list[str], Meta(description="iso9660, joliet, rockridge, udf, eltorito, hybrid-mbr, hybrid-gpt")
    ] = []
    source_url: Annotated[str, Meta(description="Where it was imported from, without credentials")] = ""
    visibility: Visibility = "private"
    shared_with: Annotated[
        list[str] | UnsetType, Meta(description="The environments it is shared with; told of one ISO, to its owner")
    ] = UNSET
    featured: bool = False
    updated: Annotated[str, Meta(description="RFC 3339, UTC")] = ""
    boot_proof: Annotated[
        list[BootProof] | UnsetType, Meta(description="What booting it came to, by mode; missing until it was tried")
    ] = UNSET


IsoRecord = Raw
"""An ISO in JSON, as the API tells it: lists pass it on as it is kept, unread."""

_decode = msgspec.json.Decoder(Iso).decode


def read_record(record: IsoRecord) -> Iso:
    """Read an ISO out of its record."""
    return _decode(record)


class IsoEdit(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What may be changed of an ISO; what is left out stays as it is."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    os_type_id: str | UnsetType = UNSET
    bootable: bool | UnsetType = UNSET
    extractable: bool | UnsetType = UNSET
    featured: bool | UnsetType = UNSET
    available_publicly: bool | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    shared_with: Annotated[list[EnvironmentName], Meta(min_length=1, max_length=100)] | UnsetType = UNSET
