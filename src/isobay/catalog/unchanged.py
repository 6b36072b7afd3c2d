"""Answers that hold as long as nobody writes to the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from threading import Lock
from typing import TypeVar, cast

from isobay.catalog.remembered import Remembered

T = TypeVar("T")


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
        self._watch = sqlite3.connect(path, isolation_level=None, check_same_thread=False) if path else None

    def answer(self, key: object, ask: Callable[[], T]) -> T:
        """The remembered answer to a question, or what ``ask`` gives; None is not remembered."""
        if self._watch is None:
            return ask()
        with self._lock:
            version = int(self._watch.execute("PRAGMA data_version").fetchone()[0])
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

    def _keep(self, key: object, found: object, version: int) -> None:
        # An answer that was read before a change must not be kept after it.
        with self._lock:
            if version == self._version:
                self._answers.put(key, found)
