"""What every room's tests may ask for: a fresh database of each kind, a libvirt, and an image to boot there."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from guests import guest_image
from hypervisors import Libvirt, libvirt
from isobay.catalog import open_catalog
from servers import Postgresql, postgresql

if TYPE_CHECKING:
    from s3_server import S3Server

BACKENDS = ["sqlite", "postgresql"]


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: what a shell runs in the background ignores it, and so do its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Postgresql]:
    """Run a PostgreSQL server for the session; its database ``migrated`` has isobay's tables."""
    with postgresql() as server, ExitStack() as stack:
        migrated = stack.enter_context(server.database())
        open_catalog(migrated).close()
        server.migrated = migrated.rpartition("/")[2]
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run an S3 server for the session."""
    from s3_server import s3_server  # boto3 takes a while to load, and most tests do without it

    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a file of SQLite with isobay's tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "isobay.db"
    open_catalog(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Name each kind of database in turn."""
    return str(request.param)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a fresh database with isobay's tables and nothing in them, once for each kind."""
    if backend == "sqlite":
        path = tmp_path / "isobay.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite:///{path}"
        return
    server: Postgresql = request.getfixturevalue("postgresql_server")
    with server.database(template=server.migrated) as url:
        yield url


@pytest.fixture
def empty_database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a database without any table, once for each kind."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'isobay.db'}"
        return
    server: Postgresql = request.getfixturevalue("postgresql_server")
    with server.database() as url:
        yield url


@pytest.fixture(scope="session")
def _libvirt_server() -> Iterator[Libvirt]:
    with libvirt() as server:
        yield server


@pytest.fixture(scope="module")
def libvirt_server(_libvirt_server: Libvirt) -> Iterator[Libvirt]:
    """Run a libvirt of our own for the session; no module finds the guests of another."""
    yield _libvirt_server
    _libvirt_server.clear()


@pytest.fixture(scope="session")
def guest_iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the image whose guest says what it sees."""
    return guest_image(tmp_path_factory.mktemp("guest") / "guest.iso")
