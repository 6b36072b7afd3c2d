"""Runs the handlers of tasks, and sees to it that every attempt comes to some end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

from isobay.catalog import Catalog
from isobay.errors import CancelledError, IsobayError, UnavailableError, UnknownOperationError
from isobay.tasks.interface import Delivery
from isobay.tasks.work import LostError, StoppedError, Work
from isobay.telemetry import logs

Handler = Callable[[Work], None]
PAUSE_SECONDS = 2.0
DEFECT = "isobay failed at this task; the log of isobay says why. Try again, and report it if it stays."


class Runner:
    """Works on the tasks that a delivery brings, ``at_once`` of them at a time.

    A handler ends its task with ``succeed`` or ``fail``. An IsobayError that it lets out fails the task;
    any other exception is a defect, which is logged whole and fails the task too.
    """

    def __init__(self, catalog: Catalog, delivery: Delivery, handlers: Mapping[str, Handler], at_once: int) -> None:
        self._catalog = catalog
        self._delivery = delivery
        self._handlers = handlers
        self._at_once = at_once

    def run(self, stop: Event) -> None:
        """Work until ``stop`` is set and every handler has returned. Raises UnavailableError."""
        self._delivery.run(lambda task_id: self._work_on(task_id, stop), self._at_once, stop)

    def has_worker(self) -> bool:
        """Whether this or another runner is known to work now; False also where that cannot be told."""
        return self._delivery.has_worker()

    def _work_on(self, task_id: str, stop: Event) -> None:
        try:
            with self._catalog.writing() as tx:
                task = self._catalog.tasks.claim(tx, task_id)
            if task is not None:
                self._attempt(Work(self._catalog, task, stop))
        except StoppedError:
            logs.write(logging.INFO, "task put down", task=task_id)
        except LostError:
            logs.write(logging.INFO, "task lost to another attempt, or ended", task=task_id)
        except UnavailableError as error:
            # Not even the failure could be written, so the task is pending still and is soon delivered again.
            logs.error("task interrupted", task=task_id, reason=error.message)
            stop.wait(PAUSE_SECONDS)
        except Exception as error:  # noqa: BLE001 -- a defect in one task must not end the thread all others need
            logs.error("task interrupted unexpectedly", task=task_id, exc_info=error)
            stop.wait(PAUSE_SECONDS)

    def _attempt(self, work: Work) -> None:
        try:
            self._handle(work)
        except StoppedError:
            with suppress(CancelledError):  # whoever takes it up finds that too
                work.put_down()
            raise
        except LostError:
            raise
        except IsobayError as error:
            if error.public != error.message:
                logs.error("task failed", task=work.task.id, kind=work.task.kind, reason=error.message)
            work.fail(error)
        except Exception as error:  # noqa: BLE001 -- whatever a handler did not think of, its task has to end
            logs.error("task failed unexpectedly", task=work.task.id, kind=work.task.kind, exc_info=error)
            work.fail(IsobayError(DEFECT))

    def _handle(self, work: Work) -> None:
        handler = self._handlers.get(work.task.kind)
        if handler is None:
            raise UnknownOperationError(
                f"This worker does not know tasks of the kind {work.task.kind!r}. Run workers of the version that "
                "serves.",
                kind=work.task.kind,
            )
        handler(work)
        if work.task.status == "PENDING":
            raise RuntimeError(f"the handler of {work.task.kind!r} returned without an end")


class Runners:
    """The runners of all lanes, side by side."""

    def __init__(self, *runners: Runner) -> None:
        self._runners = runners

    def run(self, stop: Event) -> None:
        """Work until ``stop`` is set, or one of them cannot go on. Raises UnavailableError."""
        with ThreadPoolExecutor(len(self._runners)) as threads:
            running = [threads.submit(each.run, stop) for each in self._runners]
            for each in running:
                each.add_done_callback(lambda _each: stop.set())
        for each in running:
            each.result()

    def has_worker(self) -> bool:
        """Whether others are known to work now in all lanes; False also where that cannot be told."""
        return all(each.has_worker() for each in self._runners)
