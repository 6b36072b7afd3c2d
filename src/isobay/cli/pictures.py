"""Pictures of screens, saved as PNG."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from isobay.cli import terminal
from isobay.cli.contents import save

PictureFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The file; without it ID.png, here.", show_default=False, readable=False),
]


def save_picture(png: bytes, object_id: str, output: Path | None, *, as_json: bool) -> Path | None:
    """Save a picture in ``output``, else in a file named after what it is of; None where it went into a pipe."""
    if output is None and not as_json and not terminal.is_terminal():
        sys.stdout.flush()
        sys.stdout.buffer.write(png)
        sys.stdout.buffer.flush()
        return None
    path = output or Path(f"{object_id}.png")
    save([png], len(png), path)
    return path
