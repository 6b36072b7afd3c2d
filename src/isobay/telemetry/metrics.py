"""Prometheus metrics, one set for all processes that answer requests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from isobay.errors import UnavailableError

if TYPE_CHECKING:  # the library chooses between one process and several when it is imported
    from prometheus_client.metrics_core import Metric

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # the client library's own name for it


def share_between_processes(directory: Path) -> None:
    """Let the processes started from here count into files of one directory. Call it before anything counts."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.db"):
        old.unlink(missing_ok=True)
    os.environ[DIRECTORY_VARIABLE] = str(directory)


class Metrics:
    """What is counted of requests, and what ``damaged_isos`` says whenever it is asked."""

    def __init__(self, damaged_isos: Callable[[], int]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._damaged_isos = damaged_isos
        self._several = DIRECTORY_VARIABLE in os.environ
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "isobay_http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "isobay_http_request_seconds",
            "Seconds from a request to the end of its answer.",
            ["route"],
            registry=self._registry,
        )

        # Looking a label up costs as much as counting it.
        self._counted: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        counted = self._counted.get((method, route, status))
        if counted is None:
            counted = (self.requests.labels(method, route, str(status)), self.seconds.labels(route))
            self._counted[method, route, status] = counted
        counted[0].inc()
        counted[1].observe(seconds)

    def text(self) -> bytes:
        """All that was counted, in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        told = CollectorRegistry()
        told.register(self)
        if not self._several:
            return generate_latest(self._registry) + generate_latest(told)
        MultiProcessCollector(told)  # type: ignore[no-untyped-call] # the library has no types here
        return generate_latest(told)

    def collect(self) -> Iterator[Metric]:
        """What is known anew each time, for the library; nothing while the catalogue does not answer."""
        from prometheus_client.core import GaugeMetricFamily

        try:
            damaged = self._damaged_isos()
        except UnavailableError:
            return
        yield GaugeMetricFamily(
            "isobay_damaged_isos", "ISOs that were ready once and whose bytes are missing or damaged.", damaged
        )
