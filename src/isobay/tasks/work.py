"""One attempt at one task, as its handler sees it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import msgspec

from isobay.catalog import Catalog, Transaction
from isobay.clock import utc_now
from isobay.errors import CancelledError, IsobayError
from isobay.model import Task

Then = Callable[[Transaction], None]
Failing = Callable[[Transaction, IsobayError], None]


class LostError(Exception):
    """Another attempt has begun, or the task was ended: whatever this attempt still does counts no more."""


class StoppedError(Exception):
    """The worker is to stop, and the handler did: the task goes on where it left off, in another attempt."""


class Work:
    """One attempt at a task. Its methods write to the task, and raise LostError when they may no more.

    ``then`` is called in the same transaction, so that what it writes happens with the change of the task
    or not at all; ``failing``, if a handler sets it, likewise when the task fails, for whatever reason.
    ``stopping`` is set when the worker is to stop: then a handler raises StoppedError soon.
    """

    def __init__(self, catalog: Catalog, task: Task, stopping: Event) -> None:
        self.task = task
        self.stopping = stopping
        self.failing: Failing | None = None
        self._catalog = catalog

    def report(
        self,
        *,
        message: str | None = None,
        bytes_done: int,
        bytes_total: int,
        bytes_per_second: int = 0,
        then: Then | None = None,
    ) -> None:
        """Say how far the work came; a total of 0 is one that nobody knows.

        Raises CancelledError, with nothing written, when somebody asked to cancel the task.
        """
        self._write(
            msgspec.structs.replace(
                self.task,
                message=self.task.message if message is None else message,
                progress=min(bytes_done / bytes_total, 1.0) if bytes_total else 0.0,
                bytes_done=bytes_done,
                bytes_total=bytes_total,
                bytes_per_second=bytes_per_second,
            ),
            then,
        )

    def put_down(self) -> None:
        """Say that nobody works on it now."""
        message = "Put down when the worker was told to end; it goes on when one runs."
        self._write(msgspec.structs.replace(self.task, message=message, bytes_per_second=0), None)

    def succeed(self, result: dict[str, Any], message: str, then: Then | None = None) -> None:
        """End the task: what was asked for is done."""
        done = {"status": "SUCCESS", "ended": utc_now(), "progress": 1.0, "message": message, "result": result}
        self._write(msgspec.structs.replace(self.task, **done, bytes_per_second=0), then)

    def fail(self, error: IsobayError) -> None:
        """End the task: it tells the error as the API tells errors."""
        failing = self.failing
        failed = {"status": "FAILED", "ended": utc_now(), "message": error.public, "errors": [error.told()]}
        self._write(
            msgspec.structs.replace(self.task, **failed, bytes_per_second=0),
            (lambda tx: failing(tx, error)) if failing else None,
        )

    def _write(self, task: Task, then: Then | None) -> None:
        with self._catalog.writing() as tx:
            written = self._catalog.tasks.update(tx, task)
            if written is None:
                raise LostError
            if written.cancelled and written.status == "PENDING":
                raise CancelledError(
                    "The task was cancelled. Ask for it again (an import: operation=retry), or delete what it was for.",
                    type="tasks",
                    id=task.id,
                )
            if then is not None:
                then(tx)
        self.task = written
