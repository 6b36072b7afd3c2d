"""``isobay add``: files onto the shelf."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from isobay.cli import terminal
from isobay.cli.opening import visiting
from isobay.cli.options import DataDir, EnvironmentName, IsoName, Json, ServiceCode
from isobay.cli.recording import record
from isobay.cli.shelved import tell_shelved
from isobay.errors import IsobayError

if TYPE_CHECKING:  # what is heavy is loaded when the command runs
    from isobay.access import Visit
    from isobay.app import Isobay
    from isobay.model import Iso


def add(
    # Typer's own check of a path would refuse all files, as wrong usage, for one that cannot be read.
    files: Annotated[
        list[Path],
        typer.Argument(help="The files of images.", metavar="FILE", show_default=False, readable=False),
    ],
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    name: IsoName = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Put images on the shelf: copied, hashed, read, and seen only when whole and durable.

    A file that is no ISO is refused with the reason; the others are added all the same, and the exit code is 1.
    """
    if name and len(files) > 1:
        raise typer.BadParameter("goes with one file only", param_hint="--name")
    refused = 0
    with visiting(data_dir, environment, service, make=True) as (built, visit):
        for path in files:
            try:
                iso = _add_one(built, visit, path, name)
            except IsobayError as error:
                refused += 1
                _tell_refusal(path, error, as_json=as_json)
            else:
                _tell_added(path, iso, as_json=as_json)
            sys.stdout.flush()
    if refused:
        raise typer.Exit(1)


def _add_one(built: Isobay, visit: Visit, path: Path, name: str) -> Iso:
    with terminal.progress(path.name) as progress:
        iso = built.adder.add_file(visit.place, path, name, progress)
    record(built, visit, "iso.add", iso)
    return iso


def _tell_added(path: Path, iso: Iso, *, as_json: bool) -> None:
    if as_json:
        _json_line({"path": terminal.path_text(path), "iso": iso})
    else:
        tell_shelved("Added", iso)


def _tell_refusal(path: Path, error: IsobayError, *, as_json: bool) -> None:
    if as_json:
        told = error.told() | {"message": terminal.clean(error.message)}
        _json_line({"path": terminal.path_text(path), "error": told})
    sentence = error.message if error.message.startswith(str(path)) else f"{path}: {error.message}"
    terminal.say(f"isobay: {sentence}")


def _json_line(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
