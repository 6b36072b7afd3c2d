"""The seam between the record of tasks and those who work on them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Protocol


class Delivery(Protocol):
    """Brings the ids of pending tasks to workers, each at least once and again until the task has ended."""

    def send(self, task_id: str) -> None:
        """Say that a task's row is committed. It is found without that too, only later."""

    def run(self, work_on: Callable[[str], None], at_once: int, stop: Event) -> None:
        """Call ``work_on`` for pending tasks, in up to ``at_once`` threads, until ``stop`` is set.

        ``work_on`` raises nothing. A task that has not ended when it returns is delivered again.
        Returns when every call has. Raises UnavailableError where work cannot go on.
        """

    def has_worker(self) -> bool:
        """Whether somebody is known to work on tasks now; False also where that cannot be told."""
