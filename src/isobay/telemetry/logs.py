"""Log lines, to standard error, with secrets left out."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from functools import cache
from typing import Any

_SECRET_NAMES = frozenset({"key", "api_key", "secret", "password", "authorization", "mc-api-key"})
_logger = logging.getLogger("isobay")


def configure(level: str, form: str) -> None:
    """Set the level and the form (text or json) of this process's log."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    _logger.setLevel(level.upper())
    _renderer.cache_clear()
    _form.clear()
    _form.append(form)


def enabled(level: int) -> bool:
    """Whether a line of this level (``logging.INFO`` and so on) would be written."""
    return _logger.isEnabledFor(level)


def write(level: int, event: str, **fields: Any) -> None:
    """Log a line of a level."""
    if enabled(level):
        getattr(_renderer(), logging.getLevelName(level).lower())(event, **fields)


def error(event: str, **fields: Any) -> None:
    """Log what failed. ``exc_info`` takes the exception."""
    write(logging.ERROR, event, **fields)


_form: list[str] = ["text"]


@cache
def _renderer() -> Any:
    # Imported with the first line: structlog brings rich, and a tenth of a second, to a start.
    import structlog

    colors = sys.stderr.isatty()
    last: Any = (
        structlog.processors.JSONRenderer() if _form[0] == "json" else structlog.dev.ConsoleRenderer(colors=colors)
    )
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_secrets,
            structlog.processors.format_exc_info,
            last,
        ],
    )


def _without_secrets(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in event.keys() & _SECRET_NAMES:
        event[name] = "(left out)"
    return event
