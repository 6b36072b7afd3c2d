"""The options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isobay.cli.completing import environment_names

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="ISOBAY_DATA_DIR",
        help="Where everything is kept.",
        show_default=False,
        readable=False,  # `inspect` does without one that cannot be read
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
EnvironmentName = Annotated[
    str,
    typer.Option("--environment", "-e", help="The environment, by its name.", autocompletion=environment_names),
]
ServiceCode = Annotated[
    str, typer.Option("--service", help="The service code; needed where two services have such an environment.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not follow it: end when it is begun.")]
IsoName = Annotated[str, typer.Option(help="The ISO's name; without it the file's.", show_default=False)]
Description = Annotated[str, typer.Option(help="What it is.", show_default=False)]
Public = Annotated[bool, typer.Option("--public", help="Seen from every environment of the service.")]
Extractable = Annotated[bool, typer.Option("--extractable", help="May be downloaded.")]
