"""Following a task to its end, and working on it where nobody else does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import typer

from isobay.cli import terminal
from isobay.cli.shelved import tell_shelved
from isobay.errors import NotFoundError
from isobay.model import Instance, Iso, Task

if TYPE_CHECKING:  # what is heavy is loaded when the command runs
    from isobay.access import Visit
    from isobay.app import Isobay

LOOK_SECONDS = 0.1


def follow_import(built: Isobay, visit: Visit, task: Task, *, as_json: bool) -> None:
    """Follow an import to its end, and tell what came of it. Raises typer.Exit where it failed."""
    ended = follow(built, task)
    try:
        iso = visit.engine.get_iso(visit.place, task.subject)
    except NotFoundError:
        terminal.say(f"isobay: {ended.message}")
        raise typer.Exit(1) from None
    if as_json:
        terminal.json(iso)
    if ended.status == "FAILED":
        terminal.say(f"isobay: {ended.message}")
        kept = f"; it goes on from the {terminal.bytes_text(iso.size)} that came" if iso.size else ""
        terminal.say(f"Try again with `isobay isos retry {_named(visit, iso)}`{kept}.")
        raise typer.Exit(1)
    if not as_json:
        tell_shelved("Imported", iso)
    if iso.status_message:
        terminal.say(iso.status_message)


def tell_started(built: Isobay, subject: Iso | Instance, task: Task, sentence: str, *, as_json: bool) -> None:
    """Tell work that nobody waits for here, on a terminal by a sentence, and say where it goes on."""
    if as_json:
        terminal.json({"taskId": task.id, "taskStatus": task.status, "data": subject})
    elif terminal.is_terminal():
        terminal.line(sentence)
    else:
        terminal.line(subject.id, subject.name, task.id)
    terminal.say(_left(built, task))


def follow(built: Isobay, task: Task) -> Task:
    """Show how a task goes until it ended; the task as it is then.

    On Ctrl-C the task goes on elsewhere or later, and how to stop it is said.
    """
    said = task.message
    try:
        with _working(built) as working, terminal.progress(_label(built, task)) as progress:
            while task.status == "PENDING":
                wait((working,), LOOK_SECONDS)
                if working.done():
                    working.result()
                task = _now(built, task)
                progress(task.bytes_done, task.bytes_total)
                if task.message != said and task.status == "PENDING":
                    said = task.message
                    terminal.say(said)
    except KeyboardInterrupt:
        terminal.say(_left(built, task))
        raise
    return task


@contextmanager
def _working(built: Isobay) -> Iterator[Future[None]]:
    """Work on tasks here. On SQLite that is to stand by, in case it ends, while another worker runs."""
    if not built.settings.tasks_at_once:
        yield Future()  # all is left to workers elsewhere
        return
    stop = Event()
    with ThreadPoolExecutor(1) as threads:
        try:
            yield threads.submit(built.runner.run, stop)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # asked twice it ends at once, which tasks outlive
            raise
        finally:
            stop.set()


def _now(built: Isobay, task: Task) -> Task:
    from isobay.access import OPERATOR

    return built.records.task(OPERATOR, task.id)


def _label(built: Isobay, task: Task) -> str:
    with built.catalog.reading() as tx:
        kept = built.catalog.isos.by_id(tx, task.subject)
    return kept.iso.name if kept else task.kind


def _left(built: Isobay, task: Task) -> str:
    runs = built.runner.has_worker()
    where = "in the worker that runs" if runs else "when `isobay serve` or `isobay worker` next runs"
    return (
        f"It goes on {where}. `isobay tasks follow {task.id}` follows it, "
        f"`isobay tasks cancel {task.id}` puts an end to it."
    )


def _named(visit: Visit, iso: Iso) -> str:
    environment = visit.place.environment_name
    return iso.id if environment == "test_area" else f"{iso.id} -e {environment}"
