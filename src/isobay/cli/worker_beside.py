"""The worker that `isobay serve` runs beside itself, begun again when it dies."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType

from isobay.cli.worker import END_SECONDS
from isobay.telemetry import logs

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


class WorkerBeside:
    """Within its block a worker runs that has this process's settings.

    The worker ends when its standard input does, so nothing that ends this process leaves it behind.
    """

    def __init__(self) -> None:
        self._ending = Event()
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = Thread(target=self._keep, daemon=True)

    def __enter__(self) -> None:
        self._keeper.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._ending.set()
            process = self._process
        if process is not None and process.stdin:
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS + 1)
            process.kill()
        self._keeper.join()

    def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while process := self._begin():
            began = monotonic()
            code = process.wait()
            if self._ending.is_set():
                return
            if process.stdin:
                process.stdin.close()
            pause = FIRST_PAUSE_SECONDS if monotonic() - began > LONGEST_PAUSE_SECONDS else pause
            logs.error("worker ended; another is started", exit_code=code, seconds=pause)
            self._ending.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _begin(self) -> subprocess.Popen[bytes] | None:
        command = (sys.executable, "-P", "-m", "isobay", "worker", "--with-parent")
        with self._lock:
            if self._ending.is_set():
                return None
            # A group of its own: Ctrl-C is for the service, which then ends its worker in good order.
            self._process = subprocess.Popen(  # noqa: S603 -- this program itself
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0
            )
            return self._process
