"""What tests see of isobay's processes, and how they wait for it."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

PATIENCE_SECONDS = 90
LOOK_SECONDS = 0.002


def until(holds: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until something holds that no process tells by itself; False where it does not in time."""
    deadline = monotonic() + seconds
    while not holds():
        if monotonic() > deadline:
            return False
        Event().wait(LOOK_SECONDS)
    return True


def works(data_dir: Path) -> bool:
    """Whether a worker has the turn of a data directory."""
    with (data_dir / "worker.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def children(pid: int) -> list[int]:
    """The ids of the processes that this one started."""
    # Linux keeps them by the thread that started them.
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


def lives(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
