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


class _Here(local):
    """What this thread may do now; ``looked`` are those who know whether anybody wrote, where it may not wait."""

    looked: set[Unchanged] | None = None


_here = _Here()


@contextmanager
def without_waiting() -> Iterator[None]:
    """Within this block and thread, only what is remembered is answered.

    Everything else raises NotRememberedError. For the thread that serves all callers at once.
    All answers are of one moment: whether anybody wrote is asked before the first of them.
    """
    _here.looked = set()
    try:
        yield
    finally:
        _here.looked = None


def about_to_wait() -> None:
    """Raise NotRememberedError where nothing may wait."""
    if _here.looked is not None:
        raise NotRememberedError


class Unchanged:
    """Remembers answers on SQLite, where one cheap question tells whether anybody has written since.

    ``PRAGMA data_version`` changes on a connection when any other, of any process, commits (sqlite.org,
    PRAGMA statements). It is asked before every answer, or before the first of those that are given without waiting,
    so an answer is never older than the request.
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
        version = self._look()
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

    def _look(self) -> int:
        """Forget all if anybody wrote; the version that what is asked now may be kept with."""
        if _here.looked is not None and self in _here.looked:
            return self._version
        with self._lock:
            version = self._version_now()
            if version != self._version:
                self._answers.clear()
                self._version = version
        if _here.looked is not None:
            _here.looked.add(self)
        return version

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
