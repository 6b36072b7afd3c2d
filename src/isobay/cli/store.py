"""``isobay store``: where the bytes of the images lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isobay.cli import terminal
from isobay.cli.opening import opened
from isobay.cli.options import DataDir, Json

if TYPE_CHECKING:  # what is heavy is loaded when the command runs
    from isobay.app import Isobay
    from isobay.engines.local import Finding

app = typer.Typer(
    help="Check that the bytes of the images are there, and what is there beside them.", no_args_is_help=True
)
_HEADINGS = ("Kind", "Object", "Size", "Found", "ISOs", "Done")


@app.command()
def check(
    hashes: Annotated[bool, typer.Option("--hash", help="Read every image and compare its sha256.")] = False,
    repairs: Annotated[bool, typer.Option("--repair", help="Do something about what is found.")] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Compare the catalogue with the store; exit code 1 where something is found. Without --repair nothing is changed.

    It finds bytes that no ISO has, ISOs whose bytes are missing or damaged, and disks that no instance has. It can run
    while the service does.
    """
    with opened(data_dir) as built:
        with terminal.progress("Reading") as progress:
            found = list(built.survey(hashes=hashes, repairs=repairs).run(progress))
        for finding in found:
            _record(built, finding)
        if as_json:
            terminal.json_list(found)
        else:
            terminal.table(_HEADINGS, map(_row, found))
        if found:
            raise typer.Exit(1)
        terminal.say("Nothing is wrong.")


def _record(built: Isobay, finding: Finding) -> None:
    from isobay.access import OPERATOR

    if not finding.repaired:
        return
    for iso in finding.isos:
        built.door.record(
            OPERATOR,
            "iso.repair",
            environment_id=iso.environment_id,
            object_id=iso.id,
            name=iso.name,
            found=finding.found,
            done=finding.repaired,
        )


def _row(finding: Finding) -> tuple[object, ...]:
    return (
        finding.kind,
        terminal.id_text(finding.object_id),
        terminal.bytes_text(finding.size) if terminal.is_terminal() else finding.size,
        finding.found,
        ", ".join(iso.name if terminal.is_terminal() else iso.id for iso in finding.isos),
        finding.repaired,
    )
