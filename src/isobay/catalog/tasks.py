"""Tasks: what ``GET /tasks/:id`` tells, and the one record of who may write to them.

A task begins as an attempt, which has a number. What an attempt writes counts while it is the newest and
the task is pending, so one that was thought dead, and another took over, writes nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from isobay.catalog.tables import tasks
from isobay.clock import utc_now
from isobay.model import Task


class Lane(Struct, frozen=True):
    """Tasks that wait for one another and for no others: those of some kinds, or of all kinds but these."""

    name: str
    kinds: frozenset[str]
    takes_rest: bool = False


EVERY = Lane("", frozenset(), takes_rest=True)
_PENDING = tasks.c.status == "PENDING"


class Tasks:
    """The record of work that callers can follow."""

    def __init__(self, days: int) -> None:
        self._kept = timedelta(days=days)

    def add(self, tx: Connection, task: Task) -> None:
        """Keep a task, and let go of those that ended long ago."""
        tx.execute(delete(tasks).where(tasks.c.ended != "", tasks.c.ended < utc_now(-self._kept)))
        tx.execute(insert(tasks).values(_columns(task)))

    def get(self, tx: Connection, task_id: str) -> Task | None:
        """The task with this id."""
        row = tx.execute(select(tasks).where(tasks.c.id == task_id)).mappings().first()
        return _task(row) if row else None

    def newest(self, tx: Connection, limit: int, *, pending: bool = False) -> list[Task]:
        """Tasks, the newest first; only those that have not ended where they are to be ``pending``."""
        statement = select(tasks).where(_PENDING) if pending else select(tasks)
        rows = tx.execute(statement.order_by(tasks.c.created.desc(), tasks.c.id).limit(limit)).mappings()
        return [_task(row) for row in rows]

    def pending(self, tx: Connection, limit: int, besides: Collection[str] = (), lane: Lane = EVERY) -> list[str]:
        """The ids of a lane's tasks that have not ended, begun or not, oldest first; without those ``besides``."""
        kinds = tasks.c.kind.not_in(lane.kinds) if lane.takes_rest else tasks.c.kind.in_(lane.kinds)
        statement = select(tasks.c.id).where(_PENDING, tasks.c.id.not_in(besides), kinds)
        return list(tx.execute(statement.order_by(tasks.c.created, tasks.c.id).limit(limit)).scalars())

    def claim(self, tx: Connection, task_id: str) -> Task | None:
        """Begin a new attempt, which puts an end to any before it; None when the task ended or is gone."""
        statement = update(tasks).where(tasks.c.id == task_id, _PENDING).values(attempt=tasks.c.attempt + 1)
        row = tx.execute(statement.returning(*tasks.c)).mappings().first()
        return _task(row) if row else None

    def update(self, tx: Connection, task: Task) -> Task | None:
        """Write how far an attempt came, or how it ended: all but whether somebody cancelled it.

        Gives the task as it is now; None, with nothing written, when the attempt is not the newest or the
        task has ended.
        """
        values = _columns(task)
        del values["cancelled"]
        newest = (tasks.c.id == task.id, tasks.c.attempt == task.attempt, _PENDING)
        row = tx.execute(update(tasks).where(*newest).values(values).returning(*tasks.c)).mappings().first()
        return _task(row) if row else None

    def still_to_come(self, tx: Connection, task: Task) -> int:
        """How many bytes the other pending tasks of this kind have yet to bring, as far as it is known."""
        missing = func.coalesce(func.sum(tasks.c.bytes_total - tasks.c.bytes_done), 0)
        others = (_PENDING, tasks.c.kind == task.kind, tasks.c.id != task.id, tasks.c.bytes_total > tasks.c.bytes_done)
        return int(tx.execute(select(missing).where(*others)).scalar_one())

    def cancel(self, tx: Connection, task_id: str) -> bool:
        """Ask whoever works on a task, now or later, to stop; False when it ended or is gone."""
        asked = {"cancelled": True, "message": "Cancelled. It ends when its worker sees that, or its turn comes."}
        return tx.execute(update(tasks).where(tasks.c.id == task_id, _PENDING).values(asked)).rowcount > 0

    def end_all_of(self, tx: Connection, subject: str, message: str, error: dict[str, Any]) -> None:
        """Let what is pending for a subject fail, whoever works on it."""
        ending = {
            "status": "FAILED",
            "ended": utc_now(),
            "bytes_per_second": 0,
            "message": message,
            "errors": msgspec.json.encode([error]).decode(),
        }
        tx.execute(update(tasks).where(_PENDING, tasks.c.subject == subject).values(ending))


def _columns(task: Task) -> dict[str, Any]:
    values = msgspec.structs.asdict(task)
    values["result"] = msgspec.json.encode(task.result).decode()
    values["errors"] = msgspec.json.encode(task.errors).decode()
    return values


def _task(row: RowMapping) -> Task:
    values = dict(row)
    values["result"] = msgspec.json.decode(values["result"])
    values["errors"] = msgspec.json.decode(values["errors"])
    return Task(**values)
