"""Every attempt at a task comes to an end that its task tells."""

from __future__ import annotations

from queue import Queue

import pytest

from isobay.errors import CancelledError, ImageError, StorageError
from isobay.tasks import LostError, StoppedError


def test_a_task_is_done(desk):
    """A handler reports how far it came and ends its task, and anybody can read both."""
    seen = []

    def handler(work):
        work.report(message="Half.", bytes_done=5, bytes_total=10, bytes_per_second=7)
        seen.append(desk.get(work.task.id))
        work.succeed({"id": "x"}, "All.")

    with desk.working(handler):
        done = desk.ended(desk.add())

    half = seen[0]
    assert (half.status, half.progress, half.message, half.bytes_done, half.bytes_total, half.bytes_per_second) == (
        "PENDING",
        0.5,
        "Half.",
        5,
        10,
        7,
    )
    assert (done.status, done.progress, done.message, done.result) == ("SUCCESS", 1.0, "All.", {"id": "x"})
    assert (done.attempt, done.errors, done.bytes_per_second) == (1, [], 0)


def test_an_error_of_ours_fails_the_task(desk):
    """An IsobayError that a handler lets out is what the task tells, in the API's shape of an error."""

    def handler(_work):
        raise ImageError("This is no image.", at=7)

    with desk.working(handler):
        failed = desk.ended(desk.add())

    assert (failed.status, failed.message, failed.result) == ("FAILED", "This is no image.", None)
    assert failed.errors == [{"code": 2101, "errorCode": "2101", "message": "This is no image.", "context": {"at": 7}}]


def test_a_defect_fails_the_task_and_is_logged(desk, worker):
    """Any other exception fails its task without telling its insides, and the log has all of it; work goes on."""
    running = worker()
    bad = desk.add()
    assert running.says() == "began 1"
    assert running.do("stumble") == "stumbles 1"
    failed = desk.ended(bad)
    desk.add()

    assert (failed.status, failed.errors[0]["code"]) == ("FAILED", 1000)
    assert "inside" not in failed.message
    assert "ZeroDivisionError: the inside" in running.log.read_text()
    assert running.says() == "began 1"


def test_a_kind_that_nobody_knows_fails(desk):
    """A task of a kind without a handler does not wait for ever: it fails and says why."""
    with desk.working(lambda _work: None):
        failed = desk.ended(desk.add(kind="riddle"))

    assert (failed.status, failed.errors[0]["code"]) == ("FAILED", 2002)
    assert "'riddle'" in failed.message


def test_a_handler_that_forgets_the_end_fails(desk):
    """A handler that returns and has not ended its task has a defect, and the task does not wait for ever."""
    with desk.working(lambda _work: None):
        assert desk.ended(desk.add()).errors[0]["code"] == 1000


def test_what_a_report_writes_is_written_with_it(desk):
    """What is given as ``then`` happens together with the report: when it fails, neither has happened."""
    seen = []

    def fails(tx):
        assert desk.catalog.tasks.get(tx, task_id).message == "Written."
        raise StorageError("No room.")

    def handler(work):
        with pytest.raises(StorageError):
            work.report(message="Written.", bytes_done=1, bytes_total=2, then=fails)
        seen.append((desk.get(work.task.id).message, work.task.message))
        work.succeed({}, "Done.", lambda tx: seen.append(desk.catalog.tasks.get(tx, work.task.id).status))

    task_id = desk.add(send=False)
    with desk.working(handler):
        desk.ended(task_id)

    assert seen == [("", ""), "SUCCESS"]


def test_what_a_failure_writes_is_written_with_it(desk):
    """However a task fails, its handler's ``failing`` is called with the error in the same transaction."""
    seen = []

    def handler(work):
        work.failing = lambda tx, error: seen.append((error.code, desk.catalog.tasks.get(tx, work.task.id).status))
        raise ImageError("No image.") if work.task.subject == "image" else RuntimeError("defect")

    with desk.working(handler):
        for subject in ("image", "defect"):
            desk.ended(desk.add(subject=subject))

    assert seen == [(2101, "FAILED"), (1000, "FAILED")]


def test_a_running_task_is_cancelled(desk):
    """Once somebody cancelled a task, its next report writes nothing and raises CancelledError, which ends it."""
    began: Queue[str] = Queue()
    cancelled: Queue[bool] = Queue()

    def handler(work):
        work.report(message="Before.", bytes_done=1, bytes_total=4)
        began.put(work.task.id)
        cancelled.get()
        with pytest.raises(CancelledError):
            work.report(message="After.", bytes_done=2, bytes_total=4)
        told = desk.get(work.task.id)
        assert (told.bytes_done, told.message.split(".")[0]) == (1, "Cancelled")
        work.report(message="Again.", bytes_done=3, bytes_total=4)

    with desk.working(handler):
        desk.add()
        task_id = began.get()
        assert desk.cancel(task_id)
        cancelled.put(True)
        ended = desk.ended(task_id)

    assert (ended.status, ended.errors[0]["code"], ended.bytes_done) == ("FAILED", 2015, 1)
    assert not desk.cancel(task_id)


def test_a_waiting_task_is_cancelled(desk):
    """A task that was cancelled before it began comes to its handler, which learns it from its first report."""
    task_id = desk.add()
    assert desk.cancel(task_id)

    with desk.working(lambda work: work.report(bytes_done=0, bytes_total=0)):
        assert desk.ended(task_id).errors[0]["code"] == 2015


def test_only_so_many_run_at_once(desk):
    """However many tasks wait, a worker has ``at_once`` in hand, and takes the next when one ends."""
    began: Queue[str] = Queue()
    go_on: Queue[None] = Queue()
    running: set[str] = set()
    most = []

    def handler(work):
        running.add(work.task.id)
        most.append(len(running))
        began.put(work.task.id)
        go_on.get()
        running.remove(work.task.id)
        work.succeed({}, "Done.")

    tasks = [desk.add() for _ in range(5)]
    with desk.working(handler, at_once=2):
        first = {began.get(), began.get()}
        for _ in tasks:
            go_on.put(None)
        for task_id in tasks:
            assert desk.ended(task_id).attempt == 1

    assert first == set(tasks[:2])
    assert max(most) == 2


def test_a_worker_that_stops_puts_its_tasks_down(desk):
    """Handlers that see ``stopping`` leave their task pending, and the next worker begins it again."""
    began: Queue[int] = Queue()

    def waits(work):
        began.put(work.task.attempt)
        work.stopping.wait()
        raise StoppedError

    task_id = desk.add()
    with desk.working(waits):
        assert began.get() == 1
    assert (desk.get(task_id).status, desk.get(task_id).attempt) == ("PENDING", 1)

    with desk.working(lambda work: work.succeed({}, "Done.")):
        done = desk.ended(task_id)
    assert (done.status, done.attempt) == ("SUCCESS", 2)


def test_a_task_that_others_ended_is_lost(desk):
    """When the subject of a task goes, the task ends at once, and whoever works on it can write nothing more."""
    began: Queue[str] = Queue()
    ended: Queue[None] = Queue()
    lost: Queue[bool] = Queue()

    def handler(work):
        began.put(work.task.id)
        ended.get()
        try:
            work.succeed({}, "Too late.")
        except LostError:
            lost.put(True)
            raise

    with desk.working(handler):
        desk.add(subject="gone")
        task_id = began.get()
        with desk.catalog.writing() as tx:
            desk.catalog.tasks.end_all_of(tx, "gone", "The ISO was deleted.", CancelledError("Gone.").told())
        ended.put(None)
        assert lost.get()

    task = desk.get(task_id)
    assert (task.status, task.message, task.errors[0]["code"]) == ("FAILED", "The ISO was deleted.", 2015)
