"""The command line run as people and scripts run it: a process over a data directory of its own."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

SECONDS = 60  # for a process that hangs; none takes a twentieth of it


class CommandLine:
    """Runs ``isobay`` over one data directory."""

    def __init__(self, data_dir: Path, home: Path) -> None:
        self.data_dir = data_dir
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ISOBAY_", "XDG_", "OSINFO_", "PYTHON"))
        }
        self.environ = {
            **kept,
            "HOME": str(home),
            "ISOBAY_DATA_DIR": str(data_dir),
            "TERM": "xterm",
            "COLUMNS": "140",
            "PYTHONUTF8": "1",
        }

    def __call__(self, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run with both outputs into pipes."""
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            check=False,
            encoding="utf-8",
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )

    def without_rights(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run as an account that the modes of files bind: as root, which they do not, with its rights dropped."""
        dropped = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
        return subprocess.run(
            [*dropped, *self.command(*arguments)],
            capture_output=True,
            check=False,
            encoding="utf-8",
            env=self.environ,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )

    def json(self, *arguments: str | Path) -> Any:
        """Run with --json; what it printed. Fails unless it ends with 0."""
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def on_terminal(self, *arguments: str | Path, answer: str = "") -> tuple[int, str]:
        """Run with a terminal on all three sides, and type an answer; the exit code and what was shown."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            self.command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=self.environ, close_fds=True
        ) as process:
            os.close(theirs)
            os.write(ours, answer.encode())
            shown = _all_of(ours)
            return process.wait(SECONDS), shown

    @contextmanager
    def begun(self, *arguments: str | Path, until: str) -> Iterator[subprocess.Popen[str]]:
        """Run with both outputs into pipes, inside the block from when standard error has said a word."""
        with subprocess.Popen(
            self.command(*arguments),
            encoding="utf-8",
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stderr
            assert any(until in line for line in process.stderr), f"ended without saying {until!r}"
            yield process

    def interrupted(self, *arguments: str | Path, when: Event) -> tuple[int | None, tuple[bytes, bytes]]:
        """Run until something has happened, and press Ctrl-C then; the exit code, and what both outputs have."""
        with subprocess.Popen(
            self.command(*arguments), env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert when.wait(SECONDS)
            process.send_signal(signal.SIGINT)
            printed = process.communicate(timeout=SECONDS)
            return process.returncode, printed

    def completed(self, typed: str) -> list[str]:
        """What bash is told that the last word of a command may become."""
        words = {"COMP_WORDS": f"isobay {typed}", "COMP_CWORD": str(len(typed.split(" ")))}
        program = Path(sys.executable).with_name("isobay")
        done = subprocess.run(
            [program],
            env={**self.environ, **words, "_ISOBAY_COMPLETE": "complete_bash"},
            capture_output=True,
            check=False,
            text=True,
            timeout=SECONDS,
        )
        assert done.stderr == ""
        return done.stdout.split()

    def command(self, *arguments: str | Path) -> list[str]:
        """The words that start it."""
        return [sys.executable, "-m", "isobay", *map(str, arguments)]


def _all_of(descriptor: int) -> str:
    """What a terminal shows until nobody writes to it any more, which Linux reports as an error."""
    shown = b""
    try:
        while chunk := os.read(descriptor, 1 << 16):
            shown += chunk
    except OSError:
        pass
    os.close(descriptor)
    return shown.decode("utf-8", "replace")
