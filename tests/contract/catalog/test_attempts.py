"""Tasks wait in their order, and only the newest attempt at one may write to it."""

from __future__ import annotations

import msgspec
import pytest

from isobay.model import Task

ERROR = {"code": 2015, "errorCode": "2015", "message": "Gone.", "context": {}}


@pytest.fixture
def tasks(catalog):
    """Keep three tasks, of which b is the oldest; the catalogue's tasks."""
    with catalog.writing() as tx:
        for name, second in (("a", 2), ("b", 1), ("c", 3)):
            created = f"2026-01-01T00:00:0{second}.000000Z"
            catalog.tasks.add(tx, Task(id=name, kind="work", status="PENDING", created=created, subject=f"of {name}"))
    return catalog.tasks


def test_pending_tasks_come_oldest_first(catalog, tasks):
    """What has not ended is listed in the order of creation, begun or not, up to a limit and besides some."""
    with catalog.writing() as tx:
        tasks.claim(tx, "b")
        assert tasks.pending(tx, 10) == ["b", "a", "c"]
        assert tasks.pending(tx, 2) == ["b", "a"]
        assert tasks.pending(tx, 2, {"b"}) == ["a", "c"]
        tasks.end_all_of(tx, "of a", "Gone.", ERROR)
        assert tasks.pending(tx, 10) == ["b", "c"]


def test_a_claim_begins_a_new_attempt(catalog, tasks):
    """Each claim gives the task with the next attempt; a task that is missing or ended cannot be claimed."""
    with catalog.writing() as tx:
        assert [tasks.claim(tx, "a").attempt for _ in range(3)] == [1, 2, 3]
        tasks.end_all_of(tx, "of a", "Gone.", ERROR)
        assert tasks.claim(tx, "a") is None
        assert tasks.claim(tx, "none") is None


def test_only_the_newest_attempt_writes(catalog, tasks):
    """What an older attempt writes is refused whole, and so is anything after the end."""
    with catalog.writing() as tx:
        first, second = tasks.claim(tx, "a"), tasks.claim(tx, "a")
        assert tasks.update(tx, msgspec.structs.replace(first, message="Late.")) is None
        done = msgspec.structs.replace(second, message="Done.", status="SUCCESS", ended="2026", result={"x": [1]})
        assert tasks.update(tx, done) == done
        assert tasks.update(tx, msgspec.structs.replace(second, message="More.")) is None
        assert tasks.get(tx, "a") == done
        assert tasks.get(tx, "b").message == ""


def test_a_cancellation_is_not_overwritten(catalog, tasks):
    """Who writes without knowing that the task was cancelled learns it, and it stays so."""
    with catalog.writing() as tx:
        begun = tasks.claim(tx, "a")
        assert tasks.cancel(tx, "a")
        written = tasks.update(tx, msgspec.structs.replace(begun, message="On."))
        assert (written.cancelled, written.message) == (True, "On.")
        assert (tasks.get(tx, "a").cancelled, tasks.get(tx, "b").cancelled) == (True, False)
        tasks.end_all_of(tx, "of a", "Gone.", ERROR)
        assert not tasks.cancel(tx, "a")
        assert not tasks.cancel(tx, "none")


def test_what_is_pending_for_a_subject_ends_together(catalog, tasks):
    """Every task of a subject fails with one error, whoever works on it; others and ended ones stay as they are."""
    with catalog.writing() as tx:
        ended = msgspec.structs.replace(tasks.claim(tx, "b"), status="SUCCESS", ended="2026", message="Done.")
        tasks.update(tx, ended)
        begun = tasks.claim(tx, "a")
        for subject in ("of a", "of b"):
            tasks.end_all_of(tx, subject, "The ISO was deleted.", ERROR)
        failed = tasks.get(tx, "a")
        assert (failed.status, failed.message, failed.errors) == ("FAILED", "The ISO was deleted.", [ERROR])
        assert failed.ended
        assert tasks.get(tx, "b") == ended
        assert tasks.get(tx, "c").status == "PENDING"
        assert tasks.update(tx, begun) is None
