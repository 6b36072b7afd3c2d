"""A catalogue with a delivery of each kind, and workers on it: threads of the test, or processes that can die."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from uuid import uuid4

import pytest
import worker_process

from isobay.catalog import Catalog, open_catalog
from isobay.clock import utc_now
from isobay.model import Task
from isobay.tasks import Runner, Work

PATIENCE_SECONDS = 60


class WorkerProcess:
    """A worker that can be told what to do, killed, frozen and woken."""

    def __init__(self, url: str, data_dir: Path) -> None:
        command = [sys.executable, worker_process.__file__, url, str(data_dir)]
        self.log = data_dir / "worker.log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1
            )

    def says(self) -> str:
        """The next line that it tells; empty when it is dead."""
        return self.process.stdout.readline().strip()

    def do(self, line: str) -> str:
        """Tell it to do something; what it says then."""
        self.process.stdin.write(line + "\n")
        return self.says()

    def end(self) -> None:
        """Kill it and close its pipes."""
        self.process.kill()
        self.process.communicate()


class Desk:
    """The tasks under test."""

    def __init__(self, catalog: Catalog, url: str, data_dir: Path) -> None:
        self.catalog = catalog
        self.url = url
        self.data_dir = data_dir
        self.delivery = worker_process.quick_delivery(catalog, data_dir)

    def add(self, kind: str = "work", subject: str = "", send: bool = True) -> str:
        """Keep a new task and say so; its id."""
        task = Task(id=str(uuid4()), kind=kind, status="PENDING", created=utc_now(), subject=subject)
        with self.catalog.writing() as tx:
            self.catalog.tasks.add(tx, task)
        if send:
            self.delivery.send(task.id)
        return task.id

    def get(self, task_id: str) -> Task:
        """The task as it is now."""
        with self.catalog.reading() as tx:
            task = self.catalog.tasks.get(tx, task_id)
        assert task
        return task

    def cancel(self, task_id: str) -> bool:
        """Ask for the task to be stopped."""
        with self.catalog.writing() as tx:
            return self.catalog.tasks.cancel(tx, task_id)

    def ended(self, task_id: str) -> Task:
        """The task when it has ended."""
        deadline = monotonic() + PATIENCE_SECONDS
        while not (task := self.get(task_id)).ended:
            assert monotonic() < deadline, task
            Event().wait(0.02)
        return task

    @contextmanager
    def working(self, handler: Callable[[Work], None], at_once: int = 2) -> Iterator[None]:
        """Run a worker in this process until the end of the block."""
        stop = Event()
        runner = Runner(self.catalog, self.delivery, {"work": handler}, at_once)
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(runner.run, stop)
            try:
                yield
            finally:
                stop.set()
            running.result(PATIENCE_SECONDS)


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    """Open a database without tasks."""
    catalog = open_catalog(database_url)
    yield Desk(catalog, database_url, tmp_path)
    catalog.close()


@pytest.fixture
def worker(desk: Desk) -> Iterator[Callable[[], WorkerProcess]]:
    """Start workers in processes of their own."""
    started: list[WorkerProcess] = []

    def start() -> WorkerProcess:
        started.append(WorkerProcess(desk.url, desk.data_dir))
        return started[-1]

    yield start
    for each in started:
        each.end()
