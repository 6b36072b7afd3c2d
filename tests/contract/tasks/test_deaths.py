"""A task outlives whoever works on it, and whoever was to say that it is there."""

from __future__ import annotations

import signal

import psycopg
import pytest


def test_a_killed_worker_loses_no_task(desk, worker):
    """After SIGKILL another worker, which ran all the time, begins the task again and ends it."""
    first = worker()
    task_id = desk.add()
    assert first.says() == "began 1"
    assert first.do("Half.") == "reported 1"
    second = worker()

    first.process.kill()

    assert second.says() == "began 2"
    assert desk.get(task_id).message == "Half."
    assert second.do("succeed") == "succeeded 2"
    assert desk.ended(task_id).attempt == 2


def test_a_worker_that_starts_takes_what_a_dead_one_left(desk, worker):
    """When no worker outlives the one that was killed, the next one that starts begins its task again."""
    first = worker()
    desk.add()
    assert first.says() == "began 1"
    first.process.kill()
    first.process.wait()

    assert worker().says() == "began 2"


def test_a_frozen_worker_writes_nothing_when_it_wakes(desk, worker, backend):
    """A worker that was stopped while another attempt began is refused its late report."""
    first = worker()
    task_id = desk.add()
    assert first.says() == "began 1"
    first.process.send_signal(signal.SIGSTOP)
    if backend == "postgresql":
        second = worker()
        assert second.says() == "began 2"
    else:  # a frozen worker holds its turn, so it is the catalogue that begins the attempt
        with desk.catalog.writing() as tx:
            assert desk.catalog.tasks.claim(tx, task_id).attempt == 2
    first.process.send_signal(signal.SIGCONT)

    assert first.do("Late.") == "lost 1"
    assert (desk.get(task_id).message, desk.get(task_id).status) == ("", "PENDING")
    if backend == "postgresql":
        assert second.do("succeed") == "succeeded 2"
        assert desk.ended(task_id).status == "SUCCESS"


@pytest.mark.parametrize("backend", ["postgresql"])  # beside SQLite a frozen worker keeps its turn
def test_a_woken_worker_goes_on_with_other_tasks(desk, worker):
    """A worker that lost a task while it was frozen takes the next one as if nothing had been."""
    first = worker()
    desk.add()
    assert first.says() == "began 1"
    first.process.send_signal(signal.SIGSTOP)
    second = worker()
    assert second.says() == "began 2"
    first.process.send_signal(signal.SIGCONT)
    assert first.do("Late.") == "lost 1"

    desk.add()  # the second worker has its hands full

    assert first.says() == "began 1"


def test_a_task_is_found_though_nobody_said_so(desk, worker):
    """A sender that dies between its commit and its message leaves a task that the worker finds itself."""
    running = worker()
    desk.add()
    assert running.says() == "began 1"  # it runs, so it does not find the next one by starting
    silent = desk.add(send=False)
    assert running.do("succeed") == "succeeded 1"

    assert running.says() == "began 1"
    assert running.do("succeed") == "succeeded 1"
    assert desk.ended(silent).status == "SUCCESS"


@pytest.mark.parametrize("backend", ["postgresql"])  # beside SQLite there is nothing to make, and one works
def test_the_first_workers_may_start_together(desk, worker):
    """Workers that start at one moment on a database that never delivered make its tables once, and all work."""
    workers = [worker() for _ in range(4)]
    for _ in workers:
        desk.add()

    assert [each.says() for each in workers] == ["began 1"] * 4


def test_a_message_that_comes_twice_is_work_once(desk):
    """Sending a task again, while it waits or after it ended, begins no further attempt."""
    task_id = desk.add()
    desk.delivery.send(task_id)
    with desk.working(lambda work: work.succeed({}, "Done.")):
        desk.ended(task_id)
        desk.delivery.send(task_id)
        desk.ended(desk.add())

    assert desk.get(task_id).attempt == 1


@pytest.mark.parametrize("backend", ["postgresql"])  # beside SQLite there are no jobs
def test_no_job_is_left_over(desk):
    """Beside the tasks nothing is kept: procrastinate's jobs are deleted with the end of their tasks."""
    with desk.working(lambda work: work.succeed({}, "Done.") if work.task.subject else 1 / 0):
        for subject in ("good", "", "good"):
            desk.ended(desk.add(subject=subject))

    with psycopg.connect(desk.url) as connection:
        assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)
