"""Who works on an object, among all machines with one PostgreSQL: its advisory locks.

All that one process holds, one session of the database holds: a process that dies, or loses the database, holds
nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from threading import Lock

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from isobay.catalog.database import NOT_ANSWERING, Database, reason_of
from isobay.errors import ConflictError, UnavailableError

# The server lets go of what a machine held that is cut off, or without power, after half a minute.
_SESSION = (
    "SET tcp_keepalives_idle = 15",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = 30000",
    "SET idle_session_timeout = 0",
)


class Holding:
    """What this process holds. For use by any number of threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._session: Connection | None = None
        self._held: dict[str, Connection] = {}

    @contextmanager
    def hold(self, object_id: str) -> Iterator[Callable[[], object]]:
        """Hold an object; what it gives raises ConflictError when that is lost.

        Raises ConflictError, at once, while somebody else holds it, and UnavailableError.
        """
        session = self._take(object_id)
        try:
            yield lambda: self._check(object_id, session)
        finally:
            self._let_go(object_id, session)

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._lose()

    def _take(self, object_id: str) -> Connection:
        with self._lock:
            if self._held.get(object_id) is not None:
                raise _held_elsewhere(object_id)
            session = self._live_session()
            if not self._asked(session, "SELECT pg_try_advisory_lock(:key)", object_id):
                raise _held_elsewhere(object_id)
            self._held[object_id] = session
            return session

    def _check(self, object_id: str, session: Connection) -> None:
        with self._lock:
            try:
                if self._session is session:
                    self._asked(session, "SELECT :key", object_id)
                    return
            except UnavailableError as error:
                raise _lost(object_id) from error
        raise _lost(object_id)

    def _let_go(self, object_id: str, session: Connection) -> None:
        with self._lock:
            if self._held.get(object_id) is session:
                del self._held[object_id]
            if self._session is session:
                try:
                    self._asked(session, "SELECT pg_advisory_unlock(:key)", object_id)
                except UnavailableError:
                    return  # and with the session all that it held is let go of

    def _live_session(self) -> Connection:
        """The session, or a new one where the old one is gone, and with it all that it held."""
        if self._session is not None:
            try:
                self._asked(self._session, "SELECT 1", "")
            except UnavailableError:
                pass
            else:
                return self._session
        try:
            session = self._database.session()
            for statement in _SESSION:
                session.execute(text(statement))
        except SQLAlchemyError as error:
            raise _unavailable(error) from error
        self._session = session
        return session

    def _asked(self, session: Connection, question: str, object_id: str) -> object:
        try:
            statement = text(question)
            return session.execute(statement, {"key": _number(object_id)} if ":key" in question else {}).scalar()
        except SQLAlchemyError as error:
            self._lose()
            raise _unavailable(error) from error

    def _lose(self) -> None:
        session, self._session = self._session, None
        self._held.clear()
        if session is not None:
            session.invalidate()
            session.close()


def _number(object_id: str) -> int:
    """What PostgreSQL knows the object by: 64 bits with a sign."""
    return int.from_bytes(sha256(object_id.encode()).digest()[:8], signed=True)


def _held_elsewhere(object_id: str) -> ConflictError:
    return ConflictError(
        f"The bytes of object {object_id} are being received by another process. Try again when it has ended.",
        object_id=object_id,
    )


def _lost(object_id: str) -> ConflictError:
    return ConflictError(
        f"The database was gone for a moment, and others may receive the bytes of object {object_id} now. Try again.",
        object_id=object_id,
    )


def _unavailable(error: SQLAlchemyError) -> UnavailableError:
    return UnavailableError(
        f"The catalogue's database does not answer ({reason_of(error)}). Try again; see that it runs.",
        public=NOT_ANSWERING,
    )
