"""Delivery of tasks beside a catalogue in PostgreSQL: procrastinate's jobs, for any number of workers.

A job is only the message that a task waits. It is deleted when its call returns, however that went, and a
pending task without a job gets a new one: jobs may be lost at any time, and nothing is lost with them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any

from isobay.catalog import Catalog
from isobay.catalog.tasks import EVERY, Lane
from isobay.errors import UnavailableError
from isobay.telemetry import logs

if TYPE_CHECKING:  # procrastinate takes longer to load than most commands to run
    from procrastinate import App
    from procrastinate.jobs import JobDeferrer

JOB = "isobay.task"
QUEUE = "isobay"
HEARTBEAT_SECONDS = 4.0
LOST_SECONDS = 16.0
LOOK_SECONDS = 4.0
ANSWER_SECONDS = 10.0
LOOKED_AT = 1000  # pending tasks: younger ones are looked at when the older have ended


class PostgresqlDelivery:
    """``Delivery`` through procrastinate.

    A worker says every ``heartbeat_seconds`` that it lives. Every ``look_seconds`` each worker looks whose
    heartbeat is older than ``lost_seconds``, lets go of the jobs of that one, and sends what has no job.
    """

    def __init__(
        self,
        catalog: Catalog,
        lane: Lane = EVERY,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        lost_seconds: float = LOST_SECONDS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._catalog = catalog
        self._lane = lane
        self._queue = f"{QUEUE}-{lane.name}" if lane.name else QUEUE
        self._heartbeat_seconds = heartbeat_seconds
        self._lost_seconds = lost_seconds
        self._look_seconds = look_seconds

    def send(self, task_id: str) -> None:
        """Make a job for the task. Where that fails the workers find the task by themselves."""
        from procrastinate.exceptions import AlreadyEnqueued, ConnectorException

        try:
            with self._opened() as app:
                self._message(app, task_id).defer(task_id=task_id)
        except AlreadyEnqueued:
            return  # a job of it waits already
        except (ConnectorException, UnavailableError) as error:
            logs.error("task not sent; a worker finds it", task=task_id, reason=_reason(error))

    def run(self, work_on: Callable[[str], None], at_once: int, stop: Event) -> None:
        """Work on what is delivered to this worker and, when another dies or freezes, on what that one had."""
        from procrastinate.exceptions import ConnectorException

        try:
            self._opened().close()
            with ThreadPoolExecutor(at_once) as threads:
                try:
                    asyncio.run(self._work(work_on, at_once, threads, stop))
                finally:
                    stop.set()  # whatever ended the loop, the threads that still work have to end too
        except ConnectorException as error:
            raise UnavailableError(
                f"The database stopped to deliver tasks ({_reason(error)}). See that it runs; what was worked on goes "
                "on where it stopped."
            ) from error

    def has_worker(self) -> bool:
        """False: workers are on other machines, and procrastinate does not tell who they are."""
        return False

    def _opened(self) -> App:
        """Connect, and make procrastinate's tables where they are missing: those who start together take turns."""
        from procrastinate import App, SyncPsycopgConnector

        app = App(connector=SyncPsycopgConnector(**self._connection(1))).open()
        try:
            if not app.check_connection():
                with self._catalog.writing():  # for its lock, the one that every process of isobay waits for
                    if not app.check_connection():
                        app.schema_manager.apply_schema()
        except BaseException:
            app.close()
            raise
        return app

    def _connection(self, size: int) -> dict[str, Any]:
        return {"conninfo": self._catalog.server, "min_size": 0, "max_size": size, "timeout": ANSWER_SECONDS}

    async def _work(
        self, work_on: Callable[[str], None], at_once: int, threads: ThreadPoolExecutor, stop: Event
    ) -> None:
        from procrastinate import App, PsycopgConnector

        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_tell)
        app = App(connector=PsycopgConnector(**self._connection(4)))

        @app.task(name=JOB)
        async def work(task_id: str) -> None:
            await loop.run_in_executor(threads, work_on, task_id)

        async with app.open_async():
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=[self._queue],
                    concurrency=at_once,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    fetch_job_polling_interval=self._look_seconds,
                    update_heartbeat_interval=self._heartbeat_seconds,
                    stalled_worker_timeout=self._lost_seconds,
                    shutdown_graceful_timeout=ANSWER_SECONDS,
                )
            )
            looking = asyncio.create_task(self._look(app))
            stopping = asyncio.create_task(asyncio.to_thread(stop.wait))
            await asyncio.wait((worker, looking, stopping), return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            for each in (looking, worker):
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await each

    async def _look(self, app: App) -> None:
        while True:
            await self._let_go(app)
            pending = await asyncio.to_thread(self._pending)
            sent = {job.lock for job in await app.job_manager.list_jobs_async(queue=self._queue)}
            for task_id in pending:
                if task_id not in sent:
                    await self._send(app, task_id)
            await asyncio.sleep(self._look_seconds)

    async def _let_go(self, app: App) -> None:
        """Delete the jobs of workers that are lost.

        They are not given to others: a worker that only was frozen ends its jobs when it wakes, and would
        end a job that has become another's.
        """
        from procrastinate.exceptions import ConnectorException
        from procrastinate.jobs import Status

        for job in await app.job_manager.get_stalled_jobs(
            queue=self._queue, seconds_since_heartbeat=self._lost_seconds
        ):
            if job.id is not None:
                logs.write(logging.INFO, "worker lost; its task goes on", task=job.lock)
                with suppress(ConnectorException):  # another was quicker; if the database is gone, the next call tells
                    await app.job_manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)

    def _pending(self) -> list[str]:
        with self._catalog.reading() as tx:
            return self._catalog.tasks.pending(tx, LOOKED_AT, lane=self._lane)

    def _message(self, app: App, task_id: str) -> JobDeferrer:
        # One job of a task waits and one is worked on, never two of either.
        return app.configure_task(JOB, queue=self._queue, lock=task_id, queueing_lock=task_id)

    async def _send(self, app: App, task_id: str) -> None:
        from procrastinate.exceptions import AlreadyEnqueued

        with suppress(AlreadyEnqueued):
            await self._message(app, task_id).defer_async(task_id=task_id)


def _tell(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what the end of a job raised: it was let go of meanwhile, or the database is gone."""
    logs.write(logging.INFO, "job ended elsewhere", reason=_reason(context.get("exception") or context["message"]))


def _reason(error: object) -> str:
    cause = getattr(error, "__cause__", None)
    return str(cause or error).strip().partition("\n")[0] or type(error).__name__
