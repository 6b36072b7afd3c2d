"""A report on an image, as people read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from isobay.cli import terminal

if TYPE_CHECKING:  # loaded when the command runs
    from isobay.inspection import BootEntry, Report


def facts_of(report: Report) -> Iterator[tuple[str, object]]:
    """What a report has for people, under names for people."""
    system = report.os
    yield "OS", system.name or "unknown"
    if system.variant:
        yield "Variant", system.variant
    if system.id:
        yield "libosinfo id", f"{system.id} ({system.short_id})"
    if system.name:
        yield "Kind", " and ".join(name for name in ("live", "installer") if getattr(system, name)) or "neither"
    for sentence in system.evidence:
        yield "Evidence", sentence
    others = [match for match in system.matches if match != system.short_id]
    if others:
        yield "Also fits", ", ".join(others)
    yield "Architecture", f"{report.architecture or 'unknown'} ({report.architecture_width}-bit)"
    yield "Bootable", ", ".join(report.boot_modes) if report.bootable else "no"
    for number, entry in enumerate(report.boot_entries, start=1):
        yield f"Boot entry {number}", _boot_entry(entry)
    yield "Formats", ", ".join(report.formats)
    yield "Size", f"{report.size} bytes ({terminal.bytes_text(report.size)})"
    yield "Volume size", f"{report.volume_size} bytes"
    for name, value in (
        ("Volume label", report.volume_label),
        ("System id", report.system_id),
        ("Publisher id", report.publisher_id),
        ("Application id", report.application_id),
    ):
        if value:
            yield name, value


def _boot_entry(entry: BootEntry) -> str:
    bootable = "bootable" if entry.bootable else "not bootable"
    emulation = "no emulation" if entry.emulation == "none" else f"{entry.emulation} emulation"
    return f"{entry.platform}, {bootable}, {emulation}, from block {entry.load_rba}, {entry.sector_count} × 512 bytes"
