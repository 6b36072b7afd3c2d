"""Real servers that the tests start for themselves, and what to say where one is not installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import NoReturn

import psycopg
import pytest

START_SECONDS = 60
START_ATTEMPTS = 3
ICU_SINCE = 15
UNPRIVILEGED = "postgres"  # the account that Debian's package makes; the server refuses to run as root


def leave_out(reason: str) -> NoReturn:
    """Skip the test that asks, with a reason; under ``CI=true``, where nothing may be missing, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


class Postgresql:
    """A PostgreSQL server that listens on one port of 127.0.0.1 and trusts everybody there."""

    migrated = ""  # the database that has isobay's tables, once somebody made it

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = count(1)

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://{UNPRIVILEGED}@127.0.0.1:{self._port}/{database}"

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Yield the URL of a new database, a copy of the template; it is dropped afterwards."""
        name = f"isobay_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        try:
            yield self.url(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def end_sessions(self, url: str) -> None:
        """End all sessions of one of its databases, as a restart does."""
        name = url.rpartition("/")[2]
        self._run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608 -- ours

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def postgresql() -> Iterator[Postgresql]:
    """Run the newest PostgreSQL that Debian's package ``postgresql`` installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if not found:
        leave_out("PostgreSQL is not installed: install Debian's package postgresql")
    programs = found[-1].parent
    # Not pytest's directory: that one is closed to the account the server runs as.
    directory = Path(mkdtemp(prefix="isobay-postgresql-"))
    account = _account()
    if account:
        shutil.chown(directory, account, account)
    data = directory / "data"

    def run(*command: str | Path) -> None:
        done = subprocess.run(
            [*map(str, command)], user=account, cwd=directory, capture_output=True, text=True, timeout=START_SECONDS * 2
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}")

    try:
        run(
            programs / "initdb",
            "-D",
            data,
            "-U",
            UNPRIVILEGED,
            "-A",
            "trust",
            "-N",
            *_locale(int(programs.parent.name)),
        )
        port = _start(programs / "pg_ctl", run, directory)
        try:
            yield Postgresql(port)
        finally:
            run(programs / "pg_ctl", "stop", "-D", data, "-m", "immediate", "-w")
    finally:
        shutil.rmtree(directory)


def _start(pg_ctl: Path, run: Callable[..., None], directory: Path) -> int:
    for attempt in range(START_ATTEMPTS):
        port = free_port()
        options = f"-h 127.0.0.1 -p {port} -k {directory} -F -c full_page_writes=off -c max_connections=60"
        log = directory / f"log-{attempt}"
        try:
            # -w waits until the server says in its own file that it takes connections.
            run(pg_ctl, "start", "-w", "-t", str(START_SECONDS), "-D", directory / "data", "-l", log, "-o", options)
        except RuntimeError:
            # Between the choice and the start, somebody else may take the port.
            if attempt == START_ATTEMPTS - 1:
                raise
        else:
            return port
    raise AssertionError("the loop returns or raises")


def _locale(version: int) -> list[str]:
    # As many servers sort as their language does; isobay's own order must not depend on it.
    locale = ["-E", "UTF8", "--locale=C.UTF-8"]
    return [*locale, "--locale-provider=icu", "--icu-locale=en-US"] if version >= ICU_SINCE else locale


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(UNPRIVILEGED).pw_name
    except KeyError:
        leave_out(f"There is no account {UNPRIVILEGED} to run PostgreSQL as: install Debian's package postgresql")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    return free_ports(1)[0]


def free_ports(number: int) -> list[int]:
    """So many of them, no two the same."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in found]
