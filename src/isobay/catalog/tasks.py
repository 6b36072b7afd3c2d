"""Tasks, as ``GET /tasks/:id`` tells them."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from sqlalchemy import Connection, delete, insert, select

from isobay.catalog.tables import tasks
from isobay.clock import utc_now
from isobay.model import Task


class Tasks:
    """The record of work that callers can follow."""

    def __init__(self, days: int) -> None:
        self._kept = timedelta(days=days)

    def add(self, tx: Connection, task: Task) -> None:
        """Keep a task, and let go of those that ended long ago."""
        tx.execute(delete(tasks).where(tasks.c.ended != "", tasks.c.ended < utc_now(-self._kept)))
        values = msgspec.structs.asdict(task)
        values["result"] = msgspec.json.encode(task.result).decode()
        values["errors"] = msgspec.json.encode(task.errors).decode()
        tx.execute(insert(tasks).values(values))

    def get(self, tx: Connection, task_id: str) -> Task | None:
        """The task with this id."""
        row = tx.execute(select(tasks).where(tasks.c.id == task_id)).mappings().first()
        if row is None:
            return None
        values = dict(row)
        values["result"] = msgspec.json.decode(values["result"])
        values["errors"] = msgspec.json.decode(values["errors"])
        return Task(**values)
