"""``isobay inspect``: what an image is, without putting it anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isobay.cli import terminal
from isobay.cli.opening import check_source, source_error
from isobay.cli.options import DataDir, Json
from isobay.cli.rule_cache import rules_in_use
from isobay.settings import Settings

if TYPE_CHECKING:  # loaded when the command runs
    from isobay.inspection import BootEntry, Report


def inspect(
    path: Annotated[
        Path,
        typer.Argument(help="The file of an image, or a drive such as /dev/sr0.", metavar="PATH", readable=False),
    ],
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Say what an image is: its formats, how it boots, and which operating system is on it.

    Nothing is kept, and no data directory is needed: rules imported there are used where there is one.
    """
    from isobay.image import open_path
    from isobay.inspection.report import report_on

    check_source(path)
    settings = Settings.load(data_dir=data_dir)
    # Another account's data directory is no reason to fail.
    imported = settings.rules_dir if os.access(settings.rules_dir, os.R_OK | os.X_OK) else None
    rules = rules_in_use(settings, imported)
    try:
        with open_path(path) as image:
            report = report_on(image, rules)
    except OSError as error:
        raise source_error(path, error) from error
    if as_json:
        terminal.json(report)
    else:
        terminal.facts(str(path), _facts(report))


def _facts(report: Report) -> Iterator[tuple[str, object]]:
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
