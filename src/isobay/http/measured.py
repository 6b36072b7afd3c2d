"""Counts and logs every request."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any

from isobay.http.paths import ASGIApp, loggable
from isobay.telemetry import logs
from isobay.telemetry.metrics import Metrics

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Measured:
    """Wraps the application. Paths are logged without their queries, which may hold what callers search for.

    Nor are the tokens of links logged.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, and note how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        method = str(scope["method"])
        path = scope["path"]
        status = 500

        async def noted(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            seconds = perf_counter() - started
            handler = scope.get("route_handler")
            # A name of ours, not the path: whoever asks for paths at random must not grow the metrics.
            self._metrics.observe(method, str(handler.name or handler) if handler else "none", status, seconds)
            level = logging.DEBUG if method in _READING and status < 400 else logging.INFO
            if logs.enabled(level):
                milliseconds = round(seconds * 1000, 1)
                logs.write(
                    level, "request", method=method, path=loggable(path), status=status, milliseconds=milliseconds
                )
