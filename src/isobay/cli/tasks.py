"""``isobay tasks``: work that takes its time, such as imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from isobay.cli import terminal
from isobay.cli.choosing import the_task
from isobay.cli.following import follow as follow_task
from isobay.cli.opening import opened
from isobay.cli.options import DataDir, Json
from isobay.model import Task

app = typer.Typer(help="List, show, follow and cancel tasks, such as imports.", no_args_is_help=True)
TaskId = Annotated[str, typer.Argument(help="The task's id, or the beginning of it.", metavar="ID", show_default=False)]
_HEADINGS = ("ID", "Kind", "Status", "Done", "Created", "Subject", "Message")


@app.command("list")
def list_tasks(
    every: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 1000,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List the tasks of all environments that have not ended, the newest first."""
    with opened(data_dir) as built:
        with built.catalog.reading() as tx:
            found = built.catalog.tasks.newest(tx, limit, pending=not every)
        if as_json:
            terminal.json_list(found)
        else:
            terminal.table(_HEADINGS, map(_row, found))
        if len(found) == limit:
            terminal.say(f"These are the newest {limit}.")


@app.command()
def show(task_id: TaskId, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show all that is known of a task."""
    with opened(data_dir) as built:
        _show(the_task(built, task_id), as_json=as_json)


@app.command()
def follow(task_id: TaskId, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Follow a task to its end, and show it then; exit code 1 where it failed.

    Where no worker runs, this command does the work itself. Ctrl-C ends the command, and not the task.
    """
    with opened(data_dir) as built:
        ended = follow_task(built, the_task(built, task_id))
        _show(ended, as_json=as_json)
        if ended.status == "FAILED":
            terminal.say(f"isobay: {ended.message}")
            raise typer.Exit(1)


@app.command()
def cancel(task_id: TaskId, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Ask whoever works on a task, now or later, to put an end to it. A cancelled import can be tried again."""
    from isobay.access import OPERATOR

    with opened(data_dir) as built:
        task = built.records.cancel(OPERATOR, the_task(built, task_id).id)
        built.door.record(OPERATOR, "task.cancel", environment_id=task.environment_id, object_id=task.id)
        _show(task, as_json=as_json)
        if not built.runner.has_worker():
            terminal.say("It ends when a worker next takes it up; `isobay serve` runs one.")


def _row(task: Task) -> tuple[object, ...]:
    done = f"{task.progress:.0%}" if terminal.is_terminal() else task.bytes_done
    return (
        terminal.id_text(task.id),
        task.kind,
        task.status,
        done,
        task.created,
        terminal.id_text(task.subject),
        task.message,
    )


def _show(task: Task, *, as_json: bool) -> None:
    if as_json:
        terminal.json(task)
    else:
        terminal.facts(f"{task.kind} {task.id}", _facts(task))


def _facts(task: Task) -> Iterator[tuple[str, object]]:
    yield "id", task.id
    yield "kind", task.kind
    yield "status", f"{task.status} (cancelled)" if task.cancelled else task.status
    yield "subject", task.subject
    yield "created", task.created
    if task.ended:
        yield "ended", task.ended
    yield "attempts", task.attempt
    if task.bytes_done or task.bytes_total:
        total = f" of {task.bytes_total}" if task.bytes_total else ""
        yield "bytes", f"{task.bytes_done}{total}"
    if task.bytes_per_second:
        yield "rate", f"{terminal.bytes_text(task.bytes_per_second)}/s"
    yield "message", task.message
