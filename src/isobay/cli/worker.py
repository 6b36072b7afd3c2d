"""``isobay worker``: the process that works on tasks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event, Thread
from types import FrameType
from typing import Annotated

import typer

from isobay.cli.opening import opened
from isobay.cli.options import DataDir
from isobay.errors import SettingsError

END_SECONDS = 10
SIGNAL_SECONDS = 1


def worker(
    data_dir: DataDir = None,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when standard input does: for who starts a worker.")
    ] = False,
) -> None:
    """Work on tasks, such as imports, look after uploads and instances, and verify images, until it is told to end.

    What it then has in hand goes on in the next worker. `isobay serve` runs one by itself.
    """
    from isobay.telemetry.logs import configure

    with opened(data_dir) as built:
        configure(built.settings.log_level, built.settings.log_format)
        if not built.settings.tasks_at_once:
            raise SettingsError(
                "ISOBAY_TASKS_AT_ONCE is 0, which leaves all tasks to workers elsewhere. Give this worker a number."
            )
        built.sweep()  # most likely the worker before this one died, and left half an unpacked image
        stop, ended = Event(), Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ender(stop))
        if with_parent:
            Thread(target=_end_with_input, args=(stop,), daemon=True).start()
        Thread(target=_end_in_time, args=(stop, ended), daemon=True).start()
        try:
            # Not in this thread: a signal's handler, which runs here, must find the event free to be set.
            with ThreadPoolExecutor(5) as threads:
                threads.submit(built.tending.run, stop)
                threads.submit(built.verifying.run, stop)
                threads.submit(built.watching.run, stop)
                threads.submit(built.proving.run, stop)
                running = threads.submit(built.runner.run, stop)
                running.add_done_callback(lambda _running: stop.set())
                # Not one long wait: Python handles a signal that comes just before it only afterwards.
                while not wait((running,), SIGNAL_SECONDS).done:
                    pass
                running.result()
        finally:
            ended.set()


def _ender(stop: Event) -> Callable[[int, FrameType | None], None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(1)  # asked twice: whoever asks knows better
        stop.set()

    return end


def _end_with_input(stop: Event) -> None:
    while os.read(0, 1 << 12):  # not through sys.stdin, whose lock a thread must not hold when the process ends
        pass
    stop.set()


def _end_in_time(stop: Event, ended: Event) -> None:
    """End the process hard when its handlers take too long: to them it is like a crash, which they outlive."""
    stop.wait()
    if not ended.wait(END_SECONDS):
        os._exit(1)
