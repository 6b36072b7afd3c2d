"""What ISOs show when they are booted, on the command line: asked for, and saved as a picture."""

from __future__ import annotations

import typer
from msgspec import UNSET

from isobay.cli import terminal
from isobay.cli.choosing import the_iso
from isobay.cli.completing import IsoId
from isobay.cli.following import follow, tell_started
from isobay.cli.opening import visiting
from isobay.cli.options import DataDir, EnvironmentName, Json, NoWait, ServiceCode
from isobay.cli.pictures import PictureFile, save_picture
from isobay.cli.recording import record
from isobay.model import BootProof, Iso


def prove(
    iso_id: IsoId,
    no_wait: NoWait = False,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Boot an ISO in a throw-away guest, by each of its modes, and say whether it shows anything."""
    with visiting(data_dir, environment, service) as (built, visit):
        iso, task = visit.engine.prove_iso(visit.place, the_iso(visit, iso_id).id)
        record(built, visit, "iso.prove", iso)
        if no_wait:
            tell_started(built, iso, task, f"Booting {iso.name}  {iso.id}", as_json=as_json)
            return
        ended = follow(built, task)
        if ended.status == "FAILED":
            terminal.say(f"isobay: {ended.message}")
            raise typer.Exit(1)
        after = visit.engine.get_iso(visit.place, iso.id)
        if as_json:
            terminal.json(after)
        else:
            _tell(after)


def proof_text(proof: BootProof) -> str:
    """What came of one mode."""
    seconds = f" after {proof.seconds} s" if proof.result == "shown" else ""
    return f"{proof.mode} {proof.result}{seconds}{f': {proof.message}' if proof.message else ''}"


def _tell(iso: Iso) -> None:
    proofs = [] if iso.boot_proof is UNSET else iso.boot_proof
    rows = ((proof.mode, proof.result, proof.seconds, proof.message) for proof in proofs)
    terminal.table(("Mode", "Result", "Seconds", ""), rows)


def picture(
    iso_id: IsoId,
    output: PictureFile = None,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Save what an ISO showed when it was booted, as PNG; into a pipe without --output."""
    with visiting(data_dir, environment, service) as (_, visit):
        iso = the_iso(visit, iso_id)
        png = visit.engine.iso_picture(visit.place, iso.id)
    path = save_picture(png, iso.id, output, as_json=as_json)
    if path and as_json:
        terminal.json({"path": terminal.path_text(path), "bytes": len(png)})
    elif path:
        terminal.say(f"{path}: {len(png)} bytes")
