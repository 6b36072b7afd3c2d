"""``isobay serve`` has a worker beside it, and ``isobay worker`` is one alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import service
from processes import PATIENCE_SECONDS, children, until, works


@contextmanager
def worker(data_dir: Path, *arguments: str, **options: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``isobay worker``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "isobay", "worker", "--data-dir", str(data_dir), *arguments],
        env=service.environment(**options),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def service_data(tmp_path: Path) -> Path:
    """Make a data directory that a service was started on."""
    with service.serving(tmp_path, ISOBAY_TASKS_AT_ONCE="0"):
        return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_service_takes_its_worker_with_it(tmp_path, number, workers):
    """However the service ends, and with however many processes, its worker does not outlive it."""
    with service.serving(tmp_path, "--workers", workers) as served:
        assert until(lambda: works(tmp_path))
        served.process.send_signal(number)
        served.process.wait(PATIENCE_SECONDS)
        if number == signal.SIGKILL:
            assert until(lambda: not works(tmp_path))
        assert not works(tmp_path)


def test_a_worker_that_dies_is_replaced(tmp_path):
    """When the worker beside the service is killed another one takes its place, and the service answers on."""
    with service.serving(tmp_path) as served:
        assert until(lambda: works(tmp_path))
        (first,) = children(served.process.pid)
        os.kill(first, signal.SIGKILL)
        assert until(lambda: children(served.process.pid) not in ([first], []))
        assert until(lambda: works(tmp_path))
        assert served.client().get("/healthz").status_code == 200


def test_a_service_may_leave_tasks_to_others(tmp_path):
    """With no tasks at once the service starts no worker, and one alone does the work."""
    with service.serving(tmp_path, ISOBAY_TASKS_AT_ONCE="0") as served, worker(tmp_path):
        assert until(lambda: works(tmp_path))
        assert children(served.process.pid) == []


def test_a_worker_without_a_number_is_refused(service_data):
    """A worker that may run no task says what to change."""
    with worker(service_data, ISOBAY_TASKS_AT_ONCE="0") as process:
        assert "ISOBAY_TASKS_AT_ONCE" in process.stderr.read()
        assert process.wait(PATIENCE_SECONDS) == 1


def test_a_second_worker_stands_by(service_data):
    """A worker waits while another has the turn, can be ended then, and takes over when the other ends."""
    with worker(service_data) as first:
        assert until(lambda: works(service_data))
        with worker(service_data) as idle, worker(service_data) as second:
            for waiting in (idle, second):
                assert "standing by" in waiting.stderr.readline()
            idle.send_signal(signal.SIGTERM)
            assert idle.wait(PATIENCE_SECONDS) == 0
            first.send_signal(signal.SIGTERM)
            assert first.wait(PATIENCE_SECONDS) == 0
            assert until(lambda: works(service_data))
            assert second.poll() is None


@pytest.mark.parametrize(("arguments", "ends"), [(["--with-parent"], True), ([], False)])
def test_a_worker_ends_with_its_input_if_told_so(service_data, arguments, ends):
    """A worker whose standard input ends goes on, unless it was started to end then."""
    with worker(service_data, *arguments) as process:
        assert until(lambda: works(service_data))
        process.stdin.close()
        if not ends:
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
