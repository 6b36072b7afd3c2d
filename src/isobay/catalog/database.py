"""The connection to the database: SQLite in WAL mode, or PostgreSQL, and its migrations."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from isobay.errors import SettingsError, UnavailableError

HEAD = "0008"
BUSY_SECONDS = 15
POOL_SIZE = 8
WRITE_LOCK = 0x150BA7  # an arbitrary number that only isobay takes, for PostgreSQL's advisory locks


class Database:
    """Two pools on one database: one reads without transactions, one writes in them.

    A write takes its lock at the start, so what it reads stays true until it has written, and what is
    created later has the higher number. On SQLite that is BEGIN IMMEDIATE: a transaction that reads
    first and locks later can be refused without waiting, whatever the busy time-out.
    """

    def __init__(self, url: str) -> None:
        self.url = _parse(url)
        self._reader = self._engine(isolation_level="AUTOCOMMIT")
        self._writer = self._engine()
        event.listen(self._writer, "begin", _begin_immediate if self.is_sqlite else _begin_alone)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> str | None:
        """The file of a SQLite database."""
        return self.url.database if self.is_sqlite else None

    def _engine(self, **options: Any) -> Engine:
        engine = create_engine(
            self.url, pool_size=POOL_SIZE, max_overflow=POOL_SIZE, pool_pre_ping=not self.is_sqlite, **options
        )
        if self.is_sqlite:
            event.listen(engine, "connect", _prepare_sqlite)
        return engine

    @property
    def server(self) -> str:
        """The URL of a PostgreSQL server's database, as libpq reads it; empty for SQLite."""
        return "" if self.is_sqlite else self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection on which every statement sees what is committed now."""
        with self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a transaction: committed at the end, undone by an exception."""
        with self._writer.begin() as connection:
            yield connection

    def session(self) -> Connection:
        """A connection to keep. Invalidate it at the end: what its session holds is nothing for the next one."""
        return self._reader.connect()

    def close(self) -> None:
        """Give every connection back."""
        self._reader.dispose()
        self._writer.dispose()

    def upgrade(self) -> None:
        """Bring the tables to this version, once, whoever else starts at the same moment.

        Raises UnavailableError when the database does not answer or is of a later version.
        """
        try:
            with self._turn():
                if self.version() != HEAD:
                    with self.writing() as connection:
                        _migrate(connection)
        except (OSError, SQLAlchemyError) as error:
            raise UnavailableError(
                f"The database {self.url.render_as_string(hide_password=True)} cannot be used: {reason_of(error)}. "
                + (
                    "Check that its disk has room, and that you may write the file and its directory."
                    if self.is_sqlite
                    else "Check ISOBAY_DATABASE_URL, that the server runs, and that the account may create tables."
                )
            ) from error

    def version(self) -> str:
        """The revision of the tables that are there; empty where there are none."""
        with self.reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return ""
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""

    def answers(self) -> bool:
        """Whether the database answers and its tables are of this version."""
        try:
            return self.version() == HEAD
        except SQLAlchemyError:
            return False

    @contextmanager
    def _turn(self) -> Iterator[None]:
        # SQLite does not wait for its lock where it changes to WAL: those who start together take turns.
        # On PostgreSQL the lock that every write takes is enough.
        if not self.is_sqlite:
            yield
            return
        with Path(f"{self.url.database}.upgrade").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with self.reading() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            yield


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsError(
            "ISOBAY_DATABASE_URL is not a database URL. Write it as sqlite:////var/lib/isobay/isobay.db or "
            "postgresql://user:password@host/database."
        ) from error
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise SettingsError(
            f"ISOBAY_DATABASE_URL names {parsed.drivername}; isobay keeps its catalogue in a file of SQLite or "
            "in PostgreSQL."
        )
    return parsed


def _prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    # The driver must not open transactions of its own: SQLAlchemy's begin event does.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    # FULL, not NORMAL: a row that was told to a caller outlives the power.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -16384")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_alone(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")


def _migrate(connection: Connection) -> None:
    # Alembic takes a tenth of a second to import, and most starts find the tables as they should be.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "isobay.catalog:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except CommandError as error:
        raise UnavailableError(
            f"The database is of a version this isobay does not know ({error}). "
            "Run the isobay that made it, or a later one."
        ) from error


# The database's own words name its address, its account or its file: these are for the log.
NOT_ANSWERING = "The catalogue's database does not answer. Try again later; the log of isobay says why."


def reason_of(error: Exception) -> str:
    """What the database said, in its first line."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0].rstrip(".")
