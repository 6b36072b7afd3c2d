"""The time, as every record of isobay writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def utc_now(shift: timedelta = timedelta()) -> str:
    """The time now, moved by ``shift``, in RFC 3339 with microseconds: text order is time order."""
    return (datetime.now(UTC) + shift).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
