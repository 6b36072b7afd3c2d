"""Changes of instances, followed to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from isobay.cli import terminal
from isobay.cli.following import follow, tell_started
from isobay.cli.recording import record
from isobay.errors import NotFoundError
from isobay.model import Instance, Task

if TYPE_CHECKING:  # what is heavy is loaded when the command runs
    from isobay.access import Visit
    from isobay.app import Isobay


def carry_out(
    built: Isobay,
    visit: Visit,
    operation: str,
    begun: tuple[Instance, Task],
    *,
    wait: bool,
    as_json: bool,
    **details: Any,
) -> None:
    """Write a change into the log, follow its task, and tell what came of it. Raises typer.Exit where it failed."""
    instance, task = begun
    record(built, visit, operation, instance, **details)
    if not wait:
        tell_started(built, instance, task, _sentence(instance), as_json=as_json)
        return
    ended = follow(built, task)
    after = _now(visit, instance)
    if after is None and ended.status == "SUCCESS":
        terminal.deleted(instance.id, instance.name, as_json=as_json)
        return
    if as_json:
        terminal.json(after or instance)
    if ended.status == "FAILED":
        terminal.say(f"isobay: {ended.message}")
        raise typer.Exit(1)
    if not as_json:
        _tell(after or instance)


def _now(visit: Visit, instance: Instance) -> Instance | None:
    try:
        return visit.engine.instances.get(visit.place, instance.id)
    except NotFoundError:
        return None


def _sentence(instance: Instance) -> str:
    return f"{instance.name} is {instance.state}  {instance.id}"


def _tell(instance: Instance) -> None:
    if terminal.is_terminal():
        terminal.line(_sentence(instance))
    else:
        terminal.line(instance.id, instance.name, instance.state)
    if instance.state_message:
        terminal.say(instance.state_message)
