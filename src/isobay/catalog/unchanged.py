"""Answers that hold as long as nobody writes to the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, local
from typing import TypeVar, cast

from isobay.catalog.remembered import Remembered

T = TypeVar("T")


class NotRememberedError(Exception):
    """An answer would have to be waited for where nothing may wait. Ask again in a thread that may."""


_here = local()


@contextmanager
def without_waiting() -> Iterator[None]:
    """Within this block and thread, only what is remembered is answered.

    Everything else raises NotRememberedError. For the thread that serves all callers at once.
    """
    _here.may_not_wait = True
    try:
        yield
    finally:
        _here.may_not_wait = False


def about_to_wait() -> None:
    """Raise NotRememberedError where nothing may wait."""
    if getattr(_here, "may_not_wait", False):
        raise NotRememberedError


class Unchanged:
    """Remembers answers on SQLite, where one cheap question tells whether anybody has written since.

    ``PRAGMA data_version`` changes on a connection when any other, of any process, commits (sqlite.org,
    PRAGMA statements). It is asked before every answer, so an answer is never older than the request.
    PostgreSQL has no such number: there every question is asked anew.
    """

    def __init__(self, path: str | None, size: int) -> None:
        self._answers: Remembered[object] = Remembered(size)
        self._lock = Lock()
        self._version = -1
        self._watch = _watch(path) if path else None

    def answer(self, key: object, ask: Callable[[], T]) -> T:
        """The remembered answer to a question, or what ``ask`` gives; None is not remembered."""
        if self._watch is None:
            return ask()
        with self._lock:
            version = self._version_now()
            if version != self._version:
                self._answers.clear()
                self._version = version
        found = self._answers.get(key)
        if found is None:
            found = ask()
            if found is not None:
                self._keep(key, found, version)
        return cast("T", found)

    def close(self) -> None:
        """Give the connection back."""
        if self._watch is not None:
            self._watch.close()

    def _version_now(self) -> int:
        assert self._watch  # noqa: S101 -- for the type checker
        try:
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.OperationalError:  # somebody holds the whole file: whatever was remembered may be old
            return -1

    def _keep(self, key: object, found: object, version: int) -> None:
        # An answer that was read before a change must not be kept after it.
        with self._lock:
            if version == self._version != -1:
                self._answers.put(key, found)


def _watch(path: str) -> sqlite3.Connection:
    # It never waits for a lock: whoever asks may be serving all callers.
    return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
