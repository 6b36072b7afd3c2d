"""What ``isobay instances`` does with one that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobay.cli.asking import ask
from isobay.cli.choosing import the_instance, the_iso
from isobay.cli.completing import InstanceId, iso_names
from isobay.cli.instance_following import carry_out
from isobay.cli.opening import visiting
from isobay.cli.options import DataDir, EnvironmentName, Json, NoWait, ServiceCode, Yes
from isobay.model.instance import MAX_ISOS

if TYPE_CHECKING:  # what is heavy is loaded when the command runs
    from pathlib import Path

    from isobay.access import Visit
    from isobay.model import Instance, Task

Begin = Callable[["Visit", "Instance"], "tuple[Instance, Task]"]
Where = tuple["Path | None", str, str]
Slot = Annotated[int, typer.Option(help="The drive, from 0 on.", min=0, max=MAX_ISOS - 1)]


def stop(
    instance_id: InstanceId,
    force: Annotated[bool, typer.Option("--force", help="Pull the plug.")] = False,
    no_wait: NoWait = False,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Press an instance's power button, and wait until it has stopped."""

    def begin(visit: Visit, chosen: Instance) -> tuple[Instance, Task]:
        return visit.engine.instances.stop(visit.place, chosen.id, force=force)

    where = (data_dir, environment, service)
    _change("instance.stop", instance_id, begin, where, wait=not no_wait, as_json=as_json, force=force)


def attach(
    instance_id: InstanceId,
    iso_id: Annotated[
        str,
        typer.Argument(help="The ISO's id or name.", metavar="ISO", autocompletion=iso_names, show_default=False),
    ],
    slot: Slot = 0,
    no_wait: NoWait = False,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Put an ISO into a drive of an instance, running or not; what is in it is taken out."""
    with visiting(data_dir, environment, service) as (built, visit):
        iso = the_iso(visit, iso_id)
        begun = visit.engine.instances.attach(visit.place, the_instance(visit, instance_id).id, iso.id, slot)
        wait = not no_wait
        carry_out(built, visit, "instance.attach", begun, wait=wait, as_json=as_json, iso=iso.id, slot=slot)


def detach(
    instance_id: InstanceId,
    slot: Slot = 0,
    no_wait: NoWait = False,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Empty a drive of an instance, running or not."""

    def begin(visit: Visit, chosen: Instance) -> tuple[Instance, Task]:
        return visit.engine.instances.detach(visit.place, chosen.id, slot)

    where = (data_dir, environment, service)
    _change("instance.detach", instance_id, begin, where, wait=not no_wait, as_json=as_json, slot=slot)


def delete(
    instance_id: InstanceId,
    at_once: Annotated[bool, typer.Option("--purge", help="For good, with its disk.")] = False,
    yes: Yes = False,
    no_wait: NoWait = False,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Destroy an instance: it is stopped by force, and can be recovered until it is purged."""

    def begin(visit: Visit, chosen: Instance) -> tuple[Instance, Task]:
        if not yes:
            ask("Delete {} for good, with its disk?" if at_once else "Stop {} by force, and delete it?", [chosen.name])
        return visit.engine.instances.destroy(visit.place, chosen.id, purge=at_once)

    where = (data_dir, environment, service)
    _change("instance.destroy", instance_id, begin, where, wait=not no_wait, as_json=as_json, purge=at_once)


def purge(
    instance_id: InstanceId,
    yes: Yes = False,
    no_wait: NoWait = False,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Take a destroyed instance away for good, with its disk."""

    def begin(visit: Visit, chosen: Instance) -> tuple[Instance, Task]:
        if not yes:
            ask("Delete {} for good, with its disk?", [chosen.name])
        return visit.engine.instances.purge(visit.place, chosen.id)

    _change("instance.purge", instance_id, begin, (data_dir, environment, service), wait=not no_wait, as_json=as_json)


def _change(
    operation: str,
    instance_id: str,
    begin: Begin,
    where: Where,
    *,
    wait: bool,
    as_json: bool,
    **details: Any,
) -> None:
    with visiting(*where) as (built, visit):
        begun = begin(visit, the_instance(visit, instance_id))
        carry_out(built, visit, operation, begun, wait=wait, as_json=as_json, **details)


def _plain(operation: str, said: str, begin: Begin) -> Callable[..., None]:
    """Make a command that is told nothing but the instance; ``said`` is its help."""

    def command(
        instance_id: InstanceId,
        no_wait: NoWait = False,
        environment: EnvironmentName = "test_area",
        service: ServiceCode = "",
        as_json: Json = False,
        data_dir: DataDir = None,
    ) -> None:
        _change(operation, instance_id, begin, (data_dir, environment, service), wait=not no_wait, as_json=as_json)

    command.__name__, command.__doc__ = operation.removeprefix("instance."), said
    return command


start = _plain(
    "instance.start", "Start an instance.", lambda visit, chosen: visit.engine.instances.start(visit.place, chosen.id)
)
reboot = _plain(
    "instance.reboot",
    "Reboot an instance.",
    lambda visit, chosen: visit.engine.instances.reboot(visit.place, chosen.id),
)
recover = _plain(
    "instance.recover",
    "Bring a destroyed instance back, stopped.",
    lambda visit, chosen: visit.engine.instances.recover(visit.place, chosen.id),
)
