"""The time, as every record of isobay writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def utc_now(shift: timedelta = timedelta()) -> str:
    """The time now, moved by ``shift``, in RFC 3339 with microseconds: text order is time order."""
    return written(datetime.now(UTC) + shift)


def written(moment: datetime) -> str:
    """A moment with a time zone as ``utc_now`` writes it. Raises OverflowError outside of the years 1 to 9999."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
