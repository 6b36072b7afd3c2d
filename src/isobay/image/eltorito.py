"""The boot catalogue of El Torito, "Bootable CD-ROM Format Specification" 1.0 §2."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from isobay.errors import ImageError
from isobay.image.source import SECTOR, Source

__all__ = ["BootCatalog", "BootEntry", "read_catalog"]

PLATFORMS = {0: "x86", 1: "powerpc", 2: "mac", 0xEF: "efi"}
EMULATIONS = {0: "none", 1: "floppy-1.2", 2: "floppy-1.44", 3: "floppy-2.88", 4: "hard-disk"}
FLOPPY_BYTES = {1: 1_228_800, 2: 1_474_560, 3: 2_949_120}
MOST_ENTRIES = 256
"""32-byte records looked at (8 KiB): real catalogues have fewer than 64 (one sector)."""


@dataclass(frozen=True, slots=True)
class BootEntry:
    """A boot image in the catalogue (§2.2, §2.4).

    ``platform`` is x86, powerpc, mac, efi or the number as text; ``emulation`` none, floppy-1.2, floppy-1.44,
    floppy-2.88, hard-disk or the number; ``sector_count`` counts 512-byte sectors loaded at first; ``load_rba`` is
    the 2048-byte sector of the image; ``section_id`` the identifier of its section, empty for the default entry.
    """

    platform: str
    platform_id: int
    bootable: bool
    emulation: str
    load_segment: int
    system_type: int
    sector_count: int
    load_rba: int
    section_id: str = ""
    selection_criteria: bytes = b""

    @property
    def offset(self) -> int:
        """Byte in the image where the boot image begins."""
        return self.load_rba * SECTOR


@dataclass(frozen=True, slots=True)
class BootCatalog:
    """The validation entry (§2.1) and every entry after it, the default first.

    ``valid`` says whether firmware would take the catalogue: header 1, key bytes 55 AA. ``checksum_ok`` says whether
    its words add up to 0, which some firmware asks too. An invalid catalogue has no entries.
    """

    sector: int
    valid: bool
    checksum_ok: bool
    platform: str
    platform_id: int
    id_string: str
    entries: tuple[BootEntry, ...]


def read_catalog(source: Source, sector: int) -> BootCatalog:
    """Read the catalogue at 2048-byte ``sector``. One that is not there or not valid has ``valid`` False."""
    try:
        data = source.read(sector * SECTOR, min(MOST_ENTRIES * 32, max(SECTOR, source.size - sector * SECTOR)))
    except ImageError as error:
        if error.context.get("reason") != "beyond-end":
            raise
        return BootCatalog(sector, False, False, "", 0, "", ())
    platform_id = data[1]
    id_string = data[4:28].partition(b"\0")[0].rstrip().decode("latin-1")
    valid = data[0] == 1 and data[30:32] == b"\x55\xaa"
    checksum_ok = sum(struct.unpack_from("<16H", data)) & 0xFFFF == 0
    entries = _entries(data, platform_id) if valid else ()
    return BootCatalog(sector, valid, checksum_ok, _platform(platform_id), platform_id, id_string, entries)


def _platform(number: int) -> str:
    return PLATFORMS.get(number, str(number))


def _entries(data: bytes, platform_id: int) -> tuple[BootEntry, ...]:
    entries = [_entry(data, 32, platform_id, "")]
    at = 64
    last = False
    while not last and at + 32 <= len(data) and data[at] in (0x90, 0x91):
        last = data[at] == 0x91
        section_platform, count = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "little")
        section_id = data[at + 4 : at + 32].partition(b"\0")[0].rstrip().decode("latin-1")
        at += 32
        for _ in range(count):
            if at + 32 > len(data):
                break
            entry_at = at
            at += 32
            criteria = data[entry_at + 13 : entry_at + 32]
            # §2.5: bit 5 of the media type, then of each extension, says that an extension follows
            more = data[entry_at + 1] & 0x20
            while more and at + 32 <= len(data) and data[at] == 0x44:
                more = data[at + 1] & 0x20
                criteria += data[at + 2 : at + 32]
                at += 32
            entries.append(_entry(data, entry_at, section_platform, section_id, criteria.rstrip(b"\0")))
    return tuple(entries)


def _entry(data: bytes, at: int, platform_id: int, section_id: str, criteria: bytes = b"") -> BootEntry:
    indicator, media, segment, system, sectors, rba = struct.unpack_from("<BBHBxHI", data, at)
    return BootEntry(
        platform=_platform(platform_id),
        platform_id=platform_id,
        bootable=indicator == 0x88,
        emulation=EMULATIONS.get(media & 0x0F, str(media & 0x0F)),
        load_segment=segment,
        system_type=system,
        sector_count=sectors,
        load_rba=rba,
        section_id=section_id,
        selection_criteria=criteria,
    )
