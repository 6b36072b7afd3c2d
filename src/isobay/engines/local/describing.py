"""What a report on an image, and the name of its file, mean for the fields of its ISO."""

from __future__ import annotations

import re
from typing import Any

from msgspec import UNSET

from isobay.engines.local.os_types import OsTypes
from isobay.errors import InvalidFieldsError
from isobay.inspection import Report
from isobay.model import NewIso
from isobay.model.iso import DESCRIPTION_LENGTH, NAME_LENGTH


def described(report: Report, os_types: OsTypes) -> dict[str, Any]:
    """The fields of ``Iso`` that are read out of the image, by name."""
    os_type = os_types.of(report)
    return {
        "bootable": report.bootable,
        "os_type_id": os_type.id,
        "os_type_name": os_type.name,
        "architecture_width": report.architecture_width,
        "architecture": report.architecture,
        "boot_modes": list(report.boot_modes),
        "os_id": report.os.id,
        "os_version": report.os.version,
        "os_variant": report.os.variant,
        "live": report.os.live,
        "installer": report.os.installer,
        "volume_label": report.volume_label,
        "formats": list(report.formats),
    }


def believed(report: Report, os_types: OsTypes, wanted: NewIso) -> dict[str, Any]:
    """The same, but for what the caller said of the image: that wins."""
    fields = described(report, os_types)
    if wanted.bootable is not UNSET:
        fields["bootable"] = wanted.bootable
    if wanted.os_type_id is not UNSET:
        del fields["os_type_id"], fields["os_type_name"]
    return fields


def contradictions(report: Report, os_types: OsTypes, wanted: NewIso) -> str:
    """Where the caller and the image say different things, in sentences."""
    found = []
    if wanted.bootable is True and not report.bootable:
        found.append("It is said to be bootable, but the image has nothing that boots.")
    if wanted.bootable is False and report.bootable:
        found.append(f"It is said not to be bootable, but the image boots with {' and '.join(report.boot_modes)}.")
    detected = os_types.of(report)
    if wanted.os_type_id is not UNSET and report.os.id and detected.id != wanted.os_type_id:
        said = os_types.get(wanted.os_type_id)
        found.append(
            f"It is said to hold {said.name if said else 'another system'}, but the image says {detected.name}."
        )
    return " ".join(found)


def description_of(report: Report) -> str:
    """What an ISO is described as that nobody describes."""
    return (report.os.name or report.volume_label)[:DESCRIPTION_LENGTH]


def name_of_file(file_name: str) -> str:
    """A file's name without its directories and its ending, in what an ISO's name may hold.

    Raises InvalidFieldsError where nothing is left of it that names anything.
    """
    name = re.split(r"[/\\]", file_name)[-1].removesuffix(".iso").removesuffix(".ISO")
    if not name.strip(". "):
        raise InvalidFieldsError({"name": "is required, or a file's name that is more than an ending, dots and blanks"})
    readable = "".join(character if character.isprintable() else "\ufffd" for character in name)
    return readable.encode("utf-8", "replace").decode()[:NAME_LENGTH]
