"""``isobay inspect URL``: what importing a URL would meet."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from isobay.cli import terminal
from isobay.cli.reported import facts_of
from isobay.cli.rule_cache import rules_in_use
from isobay.settings import Settings

if TYPE_CHECKING:  # loaded when the command runs
    from isobay.inspection.diagnosis import Diagnosis


def examine(url: str, checksum_url: str, settings: Settings, imported: Path | None, *, as_json: bool) -> None:
    """Tell what the import doctor finds. Raises typer.Exit where an import would fail."""
    from isobay.app import build_doctor

    doctor = build_doctor(settings, partial(rules_in_use, settings, imported))
    diagnosis = doctor.examine(url, checksum_url=checksum_url, room=_room(settings))
    if as_json:
        terminal.json(diagnosis)
    else:
        _tell(diagnosis)
    if not diagnosis.importable:
        raise typer.Exit(1)


def _room(settings: Settings) -> int:
    """The bytes that the data directory still takes; -1 where there is none, or another account's, or S3 has them."""
    from isobay.objects import DiskObjects

    if settings.objects_url:
        return -1
    there = os.access(settings.objects_dir, os.W_OK | os.X_OK)
    return DiskObjects(settings.objects_dir).room() if there else -1


def _tell(diagnosis: Diagnosis) -> None:
    rows = ((terminal.verdict_text(each.verdict), each.subject, each.message) for each in diagnosis.findings)
    terminal.table(("", "About", "Finding"), rows)
    if diagnosis.report:
        terminal.facts(diagnosis.url, facts_of(diagnosis.report))
    terminal.say(f"It {'can' if diagnosis.importable else 'cannot'} be imported.")
