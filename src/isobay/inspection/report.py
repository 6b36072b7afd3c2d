"""One report on an image: what it is, how it boots, what is on it, and how that is known."""

from __future__ import annotations

from msgspec import Struct

from isobay.image import Image, ReadAt, open_image
from isobay.inspection.files import ImageFiles
from isobay.osdetect import Detection, Medium, Rules, identify

TEXT_LENGTH = 512
_NARROW = frozenset({"i386", "i486", "i586", "i686", "armv6l", "armv7l", "ppc", "mips", "mipsel", "riscv32"})


class BootEntry(Struct, rename="camel", frozen=True):
    """One entry of the El Torito boot catalogue."""

    platform: str
    emulation: str
    bootable: bool
    load_rba: int
    sector_count: int


class System(Struct, rename="camel", frozen=True):
    """The operating system on the medium; empty text is unknown."""

    id: str
    short_id: str
    name: str
    version: str
    variant: str
    live: bool
    installer: bool
    evidence: tuple[str, ...]
    matches: tuple[str, ...]


class Report(Struct, rename="camel", kw_only=True, frozen=True):
    """What is true of an image. Sizes are bytes."""

    size: int
    volume_size: int
    volume_label: str
    system_id: str
    publisher_id: str
    application_id: str
    formats: tuple[str, ...]
    bootable: bool
    boot_modes: tuple[str, ...]
    boot_entries: tuple[BootEntry, ...]
    architecture: str
    architecture_width: int
    os: System


def inspect(read_at: ReadAt, size: int, rules: Rules, *, allow_truncated: bool = False) -> Report:
    """Read an image and say what it is.

    ``read_at(offset, size)`` gives the bytes there; ``size`` is the whole's, in bytes.
    Raises ImageError where the bytes are no image that can be read; ``allow_truncated`` lets one through
    whose end is not there yet.
    """
    return report_on(open_image(read_at, size, allow_truncated=allow_truncated), rules)


def report_on(image: Image, rules: Rules) -> Report:
    """Report on an image that is open."""
    volume = image.primary
    medium = Medium(
        volume_id=volume.volume_id if volume else "",
        system_id=volume.system_id if volume else "",
        publisher_id=volume.publisher_id if volume else "",
        application_id=volume.application_id if volume else "",
        volume_size=image.volume_size,
        boot_architectures=image.boot_architectures,
    )
    found = identify(medium, ImageFiles(image), rules)
    return Report(
        size=image.size,
        volume_size=image.volume_size,
        volume_label=readable(_label(image)),
        system_id=readable(medium.system_id),
        publisher_id=readable(medium.publisher_id),
        application_id=readable(medium.application_id),
        formats=image.formats,
        bootable=image.bootable,
        boot_modes=image.boot_modes,
        boot_entries=_boot_entries(image),
        architecture=found.architecture,
        architecture_width=32 if found.architecture in _NARROW else 64,
        os=_system(found),
    )


def _label(image: Image) -> str:
    if image.primary:
        return image.primary.volume_id
    return image.udf.volume_id if image.udf else ""


def readable(text: str) -> str:
    """What an image says, without what would move a terminal's cursor or end a database's text."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text[:TEXT_LENGTH])


def _boot_entries(image: Image) -> tuple[BootEntry, ...]:
    entries = image.boot.entries if image.boot else ()
    return tuple(
        BootEntry(entry.platform, entry.emulation, entry.bootable, entry.load_rba, entry.sector_count)
        for entry in entries
    )


def _system(found: Detection) -> System:
    return System(
        id=readable(found.os_id),
        short_id=readable(found.short_id),
        name=readable(found.name),
        version=readable(found.version),
        variant=readable(found.variant),
        live=found.live,
        installer=found.installer,
        evidence=tuple(readable(sentence) for sentence in found.evidence),
        matches=tuple(match.system.short_id for match in found.matches),
    )
