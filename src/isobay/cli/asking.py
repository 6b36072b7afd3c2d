"""Asking before something is gone."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from isobay.cli import terminal


def ask(what: str, names: Sequence[str]) -> None:
    """Ask on a terminal whether that is meant of these. Raises typer.Abort where not, BadParameter for a script."""
    if not sys.stdin.isatty():
        raise typer.BadParameter("deletes without asking only with --yes", param_hint="--yes")
    question = what.format(", ".join(terminal.clean(name) for name in names))
    try:
        typer.confirm(question, abort=True, err=True)
    except typer.Abort as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Typer ends with 1 for Ctrl-C too
            raise KeyboardInterrupt from None
        raise
