"""``isobay doctor``: what this machine can do for isobay, and what to install."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from isobay.cli import terminal
from isobay.cli.opening import check_data
from isobay.cli.options import DataDir, Json
from isobay.settings import Settings

if TYPE_CHECKING:  # loaded when the command runs
    from isobay.engines.local.checkup_hosts import Fact


def doctor(as_json: Json = False, data_dir: DataDir = None) -> None:
    """Say what this machine and the hosts of instances can do, and what to install or start.

    With a problem the exit code is 1. What importing a URL would meet, `isobay inspect URL` says.
    """
    from isobay.app import build_checkup

    settings = Settings.load(data_dir=data_dir)
    if not settings.database_url:
        check_data(settings.data_dir)
    facts = list(build_checkup(settings).facts())
    has_problem = any(fact.verdict == "problem" for fact in facts)
    if as_json:
        terminal.json({"healthy": not has_problem, "findings": facts})
    else:
        terminal.table(("", "About", "Finding"), map(_row, facts))
    if has_problem:
        raise typer.Exit(1)


def _row(fact: Fact) -> tuple[str, str, str]:
    return terminal.verdict_text(fact.verdict), fact.about, fact.message
