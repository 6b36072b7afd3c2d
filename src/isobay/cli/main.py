"""The command ``isobay``: its groups, and how its errors are said."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from isobay import __version__
from isobay.cli.serve import serve
from isobay.errors import IsobayError

app = typer.Typer(
    name="isobay",
    help="A shelf of ISO images that is true: put images in, read what they are, serve them over CloudMC's API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve)


@app.callback()
def isobay(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Read the options that stand before a command."""
    if version:
        typer.echo(f"isobay {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line. Errors of ours are one sentence on standard error and exit code 1."""
    try:
        app()
    except IsobayError as error:
        print(f"isobay: {error.message}", file=sys.stderr)  # noqa: T201 -- this is a command line
        sys.exit(1)
