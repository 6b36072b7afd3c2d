"""Imports killed at any moment: each one ends ready, with the right bytes, and nothing is left over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from series import BYTES_PER_SECOND, LOCAL, Series, Workers, check_nothing_left

from processes import children, lives, until, works
from servers import leave_out
from service import serving
from sources import nginx

AT_ONCE = 4
KILLED_WORKERS = 168
KILLED_SERVICES = 12
KILLED_UNPACKERS = 20


@pytest.fixture(scope="module")
def packed_image(large_image: Path) -> Path:
    """The same, packed."""
    if not shutil.which("zstd"):
        leave_out("zstd is not installed: install Debian's package zstd")
    subprocess.run(["zstd", "-q", "-1", large_image], check=True)
    return large_image.with_suffix(".iso.zst")


@pytest.fixture
def packed_series(root: Path, large_image: Path, packed_image: Path) -> Iterator[Series]:
    """Imports of the packed image."""
    with nginx(root, bytes_per_second=BYTES_PER_SECOND) as source:
        yield Series(source, root, packed_image, large_image)


def test_workers_may_be_killed_at_any_moment(tmp_path: Path, series: Series):
    """One worker after the other is killed; all imports are whole, and little is fetched twice."""
    assert _kill_workers(tmp_path / "data", series, KILLED_WORKERS) >= KILLED_WORKERS


def test_workers_may_be_killed_while_they_unpack(tmp_path: Path, packed_series: Series):
    """The same of an image that comes packed: what was half unpacked is not left over."""
    assert _kill_workers(tmp_path / "data", packed_series, KILLED_UNPACKERS) >= KILLED_UNPACKERS


def _kill_workers(data_dir: Path, series: Series, kills: int) -> int:
    """Kill so many; how many attempts were begun again."""
    with serving(data_dir, ISOBAY_TASKS_AT_ONCE="0", **LOCAL) as service, Workers(data_dir) as workers:
        workers.start()
        for _ in range(kills):
            # Only then the next one, so that the older of the two always is the one that works.
            assert until(lambda: works(data_dir))
            workers.start()
            series.want(service, AT_ONCE)
            series.await_moment(service.behind)
            workers.kill()
            series.gather(service)
        series.finish(service)
        workers.end()
        series.check_traffic(kills)
        check_nothing_left(service.behind)
        return sum(task.attempt - 1 for task in series.ended)


def test_services_may_be_killed_at_any_moment(tmp_path: Path, series: Series):
    """The worker beside a service is killed, then the service or both; none outlives, and all imports are whole."""
    data_dir = tmp_path / "data"
    for round_ in range(KILLED_SERVICES // 2):
        with serving(data_dir, **LOCAL) as service:
            assert until(lambda: works(data_dir))
            series.gather(service)
            series.want(service, AT_ONCE)
            pid = service.process.pid
            (first,) = children(pid)
            series.await_moment(service.behind)
            os.kill(first, signal.SIGKILL)
            assert until(lambda: children(pid) not in ([first], []) and works(data_dir))  # noqa: B023 -- asked at once
            (second,) = children(pid)
            series.await_moment(service.behind)
            service.process.kill()
            if round_ % 2:
                os.kill(second, signal.SIGKILL)
            service.process.wait()
            assert until(lambda: not lives(second))  # noqa: B023 -- asked at once
    with serving(data_dir, **LOCAL) as service:
        series.finish(service)
        series.check_traffic(KILLED_SERVICES)
        check_nothing_left(service.behind)
