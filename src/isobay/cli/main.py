"""The command ``isobay``: its groups, and how its errors are said."""

from __future__ import annotations

import sys

import typer

from isobay.cli.serve import serve
from isobay.errors import IsobayError

app = typer.Typer(
    name="isobay",
    help="A shelf of ISO images that is true: put images in, read what they are, serve them over CloudMC's API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve)


def main() -> None:
    """Run the command line. Errors of ours are one sentence on standard error and exit code 1."""
    try:
        app()
    except IsobayError as error:
        print(f"isobay: {error.message}", file=sys.stderr)  # noqa: T201 -- this is a command line
        sys.exit(1)
