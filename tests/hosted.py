"""A real isobay whose instances run on a host in memory: the service, in a process that may do its tasks too.

The service itself has no option for such a host: it is built in here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import msgspec

from isobay.app import Isobay, build
from isobay.cli.serve import run
from isobay.hypervisor.memory import MemoryHypervisor
from isobay.settings import Settings
from service import Service, serving

VNC_PORT = "VNC_PORT"


@contextmanager
def hosted(data_dir: Path, vnc_port: int = 0, **options: str) -> Iterator[Service]:
    """Run one until the end of the block; every instance's VNC server is at a port of 127.0.0.1."""
    with serving(data_dir, program=[__file__], **{VNC_PORT: str(vnc_port), **options}) as running:
        yield running


def main() -> None:
    """Serve over the directory that is the last argument."""
    settings = Settings.load(port=0, data_dir=Path(sys.argv[-1]))
    stop = Event()
    host = MemoryHypervisor(vnc_port=int(os.environ[VNC_PORT]))

    def built(_settings: Settings) -> Isobay:
        found = build(settings, lambda _uri: host)
        if settings.tasks_at_once:
            for work in (found.runner.run, found.watching.run):
                Thread(target=work, args=(stop,), daemon=True).start()
        return found

    # A worker beside it would have another memory.
    try:
        run(msgspec.structs.replace(settings, tasks_at_once=0), built)
    finally:
        stop.set()


if __name__ == "__main__":
    main()
