"""``isobay serve`` many times in a row, forked off a process that has read the program once: starts are cheap then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from isobay.app import build
from isobay.settings import Settings
from processes import PATIENCE_SECONDS, lives, until
from service import KEY, Service, environment


class Process:
    """One of them: what ``subprocess.Popen`` would be."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def kill(self) -> None:
        """Kill it, wherever it is."""
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> None:
        """Wait until it is gone."""
        assert until(lambda: not lives(self._pid)), "nobody killed it"


class Services:
    """Starts them over one data directory, without workers."""

    def __init__(self, data_dir: Path, **options: str) -> None:
        told = environment(ISOBAY_TASKS_AT_ONCE="0", ISOBAY_LOG_LEVEL="error", **options)
        self._behind = build(Settings.load({"ISOBAY_ADMIN_KEY": KEY, **told}, data_dir=data_dir))
        self._started: list[Service] = []
        self._parent = subprocess.Popen(
            [sys.executable, __file__, str(data_dir)],
            env={**told, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def start(self) -> Service:
        """Start the next one; it answers."""
        assert self._parent.stdin
        assert self._parent.stdout
        self._parent.stdin.write("start\n")
        pid = int(self._parent.stdout.readline())
        greeting = self._parent.stdout.readline()
        address = greeting.split()[2].rstrip("/")
        self._started.append(Service(address, greeting, self._behind, Process(pid)))
        return self._started[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._parent.stdin
        assert self._parent.stdout
        self._parent.stdin.close()
        self._parent.wait(PATIENCE_SECONDS)
        self._parent.stdout.close()
        for client in (each for service in self._started for each in service.clients.values()):
            client.close()
        self._behind.catalog.close()


def _fork(data_dir: Path) -> None:
    # What `serve` reads when it runs, and what that reads.
    import litestar.plugins.pydantic  # noqa: F401 -- read here for all
    import uvicorn.loops.uvloop
    import uvicorn.supervisors  # noqa: F401 -- the same

    import isobay.http.protocol  # noqa: F401 -- the same
    from isobay.cli.serve import serve

    pid = 0
    for _ in sys.stdin:
        if pid:
            os.waitpid(pid, 0)
        pid = os.fork()
        if not pid:
            print(os.getpid(), flush=True)  # noqa: T201 -- before the greeting, for who asked
            serve(host=None, port=0, data_dir=data_dir, workers=None)
    if pid:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    _fork(Path(sys.argv[1]))
