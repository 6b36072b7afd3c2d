"""Delivery of tasks beside a catalogue in SQLite: one runner for a lane of a directory, woken through a named pipe."""

from __future__ import annotations

import fcntl
import logging
import os
import select
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from isobay.catalog import Catalog
from isobay.catalog.tasks import EVERY, Lane
from isobay.errors import StorageError, UnavailableError
from isobay.telemetry import logs

LOOK_SECONDS = 1.0
LOCK_SECONDS = 0.2


class EmbeddedDelivery:
    """``Delivery`` by one process that looks for pending tasks itself.

    Only who holds the lock file works, so on its start every pending task waits for it; a second runner
    stands by until the first is gone. Looking costs little and is done every second; the pipe only makes
    it sooner.
    """

    def __init__(self, catalog: Catalog, data_dir: Path, lane: Lane = EVERY) -> None:
        name = f"worker-{lane.name}" if lane.name else "worker"
        self._catalog = catalog
        self._lane = lane
        self._lock = data_dir / f"{name}.lock"
        self._bell = data_dir / f"{name}.bell"

    def send(self, task_id: str) -> None:  # noqa: ARG002 -- the runner finds the task by looking
        """Let the runner look at once, if one runs."""
        try:
            bell = os.open(self._bell, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return  # nobody hears it: the runner looks when it starts
        try:
            _ring(bell)
        finally:
            os.close(bell)

    def run(self, work_on: Callable[[str], None], at_once: int, stop: Event) -> None:
        """Work on what is pending, oldest first, when the runner before this one is gone."""
        with self._turn(stop) as is_ours:
            if is_ours:
                with _open_bell(self._bell) as bell, ThreadPoolExecutor(at_once + 1) as threads:
                    threads.submit(_ring_at, stop, bell)
                    try:
                        self._look(work_on, at_once, stop, bell, threads)
                    finally:
                        stop.set()  # whatever ended the loop, the threads that still work have to end too

    def has_worker(self) -> bool:
        """Whether a runner, of this process or another, holds the lock."""
        with _opened(self._lock) as file:
            return not _lock(file)

    def _look(
        self, work_on: Callable[[str], None], at_once: int, stop: Event, bell: int, threads: ThreadPoolExecutor
    ) -> None:
        running: dict[str, Future[None]] = {}
        while not stop.is_set():
            running = {task_id: future for task_id, future in running.items() if not future.done()}
            for task_id in self._pending(at_once - len(running), running):
                running[task_id] = threads.submit(work_on, task_id)
                running[task_id].add_done_callback(lambda _future: _ring(bell))
            _wait_for(bell)

    def _pending(self, limit: int, running: dict[str, Future[None]]) -> list[str]:
        if not limit:
            return []
        try:
            with self._catalog.reading() as tx:
                return self._catalog.tasks.pending(tx, limit, running.keys(), self._lane)
        except UnavailableError as error:
            logs.error("tasks cannot be looked for", reason=error.message)
            return []

    @contextmanager
    def _turn(self, stop: Event) -> Iterator[bool]:
        """Hold the lock; False when ``stop`` was set before it was free."""
        with _opened(self._lock) as file:
            is_ours = _lock(file)
            if not is_ours:
                logs.write(logging.INFO, "another worker runs; standing by", lock=str(self._lock))
            while not is_ours and not stop.wait(LOCK_SECONDS):
                is_ours = _lock(file)
            yield is_ours


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        yield file
    finally:
        os.close(file)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _open_bell(path: Path) -> Iterator[int]:
    try:
        if not path.is_fifo():
            os.mkfifo(path, 0o600)
        # For writing too: a pipe that nobody could write to would be at its end, and wake the runner all the time.
        bell = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        yield bell
    finally:
        os.close(bell)


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be made or opened: {os.strerror(error.errno or 0)}. "
        "Run the worker as the account that owns the data directory, and see that its disk has room."
    )


def _ring(bell: int) -> None:
    with suppress(OSError):  # full, so it is about to be heard, or nobody listens any more
        os.write(bell, b"\0")


def _ring_at(stop: Event, bell: int) -> None:
    stop.wait()
    _ring(bell)


def _wait_for(bell: int) -> None:
    listening = select.poll()
    listening.register(bell, select.POLLIN)
    if listening.poll(LOOK_SECONDS * 1000):
        os.read(bell, 1 << 16)
