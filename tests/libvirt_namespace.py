"""What runs libvirt for the tests, as the first process of namespaces of its own (unshare, started by hypervisors.py).

The directories that a libvirt of the system keeps are covered by others: a machine's own libvirt is never touched,
and several of ours never meet. All ends with this process, and this process with its standard input.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from select import select
from typing import Any

COVERED = {
    "/etc/libvirt": "etc",
    "/var/lib/libvirt": "lib",
    "/var/cache/libvirt": "cache",
    "/var/log/libvirt": "log",
    "/run/libvirt": "run",
}


def main(directory: Path) -> None:
    """Cover what is the machine's own, then take orders: a line starts a daemon or names a signal to send to it."""
    signal.signal(signal.SIGCHLD, _reap)
    for covered, by in COVERED.items():
        subprocess.run(["mount", "--bind", directory / by, covered], check=True)
    for line in sys.stdin:
        order, daemon = line.split()
        pid_file = directory / f"{daemon}.pid"
        if order == "start":
            subprocess.run([daemon, "--daemon", "--pid-file", pid_file], stdout=subprocess.DEVNULL)
        else:
            process = os.pidfd_open(int(pid_file.read_text()))
            signal.pidfd_send_signal(process, getattr(signal, order))
            if order not in ("SIGSTOP", "SIGCONT"):
                select([process], [], [])
            os.close(process)
        sys.stdout.write("done\n")
        sys.stdout.flush()


def _reap(*_: Any) -> None:
    """Orphans are this process's to bury: libvirt takes a dead guest for alive until somebody does."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
