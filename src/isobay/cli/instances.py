"""``isobay instances``: virtual machines that were made from ISOs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from isobay.cli import terminal
from isobay.cli.choosing import the_instance, the_iso, the_offering, the_zone
from isobay.cli.completing import InstanceId, iso_names
from isobay.cli.fields import checked
from isobay.cli.instance_changes import (
    attach,
    delete,
    detach,
    purge,
    reboot,
    recover,
    start,
    stop,
)
from isobay.cli.instance_following import carry_out
from isobay.cli.instance_screens import console, screenshot
from isobay.cli.opening import visiting
from isobay.cli.options import DataDir, EnvironmentName, Json, NoWait, ServiceCode
from isobay.cli.recording import record
from isobay.model import AttachedIso, Instance, InstanceEdit, Listing, NewInstance

app = typer.Typer(help="List, show, create, change and delete instances, and see what they show.", no_args_is_help=True)
Iso = Annotated[
    str,
    typer.Option(
        "--iso",
        help="What it boots from: an ISO's id or name.",
        metavar="ID",
        autocompletion=iso_names,
        show_default=False,
    ),
]
Also = Annotated[
    list[str] | None,
    typer.Option(
        "--also", help="Another ISO, for the next drive; up to three times.", metavar="ID", autocompletion=iso_names
    ),
]
Firmware = Annotated[str | None, typer.Option(help="bios, uefi or uefi-secure; else what fits.", show_default=False)]
NOT_OURS = "a file that is no ISO of isobay's"
_OPTIONS = {
    "cpu_count": "cpus",
    "memory_in_mb": "memory",
    "root_volume_size_in_gb": "disk",
    "additional_iso_ids": "also",
}
_HEADINGS = ("ID", "Name", "State", "CPUs", "Memory", "Disk", "ISO", "Address")


@app.command("list")
def list_instances(
    search: Annotated[str, typer.Option(help="Part of the name, in any case.")] = "",
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List the environment's instances, each as its host shows it now."""
    with visiting(data_dir, environment, service) as (_, visit):
        found = visit.engine.instances.list(visit.place, Listing(search=search)).items
        if as_json:
            terminal.json_list(found)
        else:
            terminal.table(_HEADINGS, map(_row, found))


def _row(instance: Instance) -> tuple[object, ...]:
    is_read = terminal.is_terminal()
    return (
        terminal.id_text(instance.id),
        instance.name,
        instance.state,
        instance.cpu_count,
        f"{instance.memory_in_mb} MiB" if is_read else instance.memory_in_mb,
        f"{instance.root_volume_size_in_gb} GiB" if is_read else instance.root_volume_size_in_gb,
        instance.iso_name,
        instance.ip_address,
    )


@app.command()
def show(
    instance_id: InstanceId,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show all that is known of an instance."""
    with visiting(data_dir, environment, service) as (_, visit):
        terminal.known(the_instance(visit, instance_id), _drives, as_json=as_json)


def _drives(isos: list[AttachedIso]) -> str:
    return "\n".join(f"{each.slot}: {each.iso_name or each.iso_id or NOT_OURS}" for each in isos)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called.", metavar="NAME", show_default=False)],
    iso: Iso,
    also: Also = None,
    offering: Annotated[str, typer.Option(help="A size, by its id or name.", show_default=False)] = "",
    cpus: Annotated[int | None, typer.Option(help="How many CPUs.", show_default=False)] = None,
    memory: Annotated[int | None, typer.Option(help="How much memory, in MiB.", show_default=False)] = None,
    disk: Annotated[int | None, typer.Option(help="How large a disk, in GiB.", show_default=False)] = None,
    firmware: Firmware = None,
    network: Annotated[str | None, typer.Option(help="Its network, by its id.", show_default=False)] = None,
    zone: Annotated[str, typer.Option(help="The zone, by id or name; needed where there are several.")] = "",
    eject: Annotated[bool, typer.Option("--eject", help="Empty the first drive at its first reboot.")] = False,
    no_wait: NoWait = False,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Create an instance from a bootable ISO, and start it. What is not said is chosen to fit the ISO's system."""
    values: dict[str, Any] = {
        "name": name,
        "cpu_count": cpus,
        "memory_in_mb": memory,
        "root_volume_size_in_gb": disk,
        "firmware": firmware,
        "network_id": network,
        "eject_after_install": eject,
    }
    with visiting(data_dir, environment, service) as (built, visit):
        values["iso_id"] = the_iso(visit, iso).id
        values["additional_iso_ids"] = [the_iso(visit, each).id for each in also or ()]
        if offering:
            values["compute_offering_id"] = the_offering(visit, offering).id
        if zone:
            values["zone_id"] = the_zone(visit, zone).id
        wanted = checked(NewInstance, values, _OPTIONS)
        begun = visit.engine.instances.create(visit.place, visit.identity, wanted)
        carry_out(built, visit, "instance.create", begun, wait=not no_wait, as_json=as_json)


@app.command()
def edit(
    instance_id: InstanceId,
    name: Annotated[str, typer.Option(help="A new name.", show_default=False)],
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Rename an instance."""
    with visiting(data_dir, environment, service) as (built, visit):
        chosen = the_instance(visit, instance_id)
        instance = visit.engine.instances.edit(visit.place, chosen.id, checked(InstanceEdit, {"name": name}))
        record(built, visit, "instance.edit", instance, changed=["name"])
        terminal.known(instance, _drives, as_json=as_json)


for command in (start, stop, reboot, attach, detach, delete, recover, purge, screenshot, console):
    app.command()(command)
