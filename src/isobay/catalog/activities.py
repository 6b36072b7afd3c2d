"""The activity log: what was done, by whom."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec
from sqlalchemy import ColumnElement, Connection, func, insert, select

from isobay.catalog.tables import activities
from isobay.model import Activity, Listing, Page
from isobay.model.listing import FilterValue

FILTER_FIELDS = ("operation", "key_id", "object_id", "environment_id", "result")

_COLUMNS = tuple(column for column in activities.c if column.name != "seq")
_TIMES: dict[str, Callable[[FilterValue], ColumnElement[bool]]] = {
    "since": lambda moment: activities.c.created >= moment,
    "until": lambda moment: activities.c.created < moment,
}


class Activities:
    """The log, newest first."""

    def add(self, tx: Connection, activity: Activity) -> None:
        """Write one entry."""
        values = msgspec.structs.asdict(activity)
        values["details"] = msgspec.json.encode(activity.details).decode()
        tx.execute(insert(activities).values(values))

    def page(self, tx: Connection, environments: Collection[str] | None, listing: Listing) -> Page[Activity]:
        """Some entries, newest first: of the given environments (ids), or of all.

        Filters are FILTER_FIELDS, ``since`` a moment and ``until`` another, as ``clock`` writes them.
        """
        where = [
            _TIMES[name](value) if name in _TIMES else activities.c[name] == value for name, value in listing.filters
        ]
        if environments is not None:
            where.append(activities.c.environment_id.in_(list(environments)))
        total = tx.execute(select(func.count()).select_from(activities).where(*where)).scalar_one()
        if listing.offset >= total:
            return Page([], total)
        rows = tx.execute(
            select(*_COLUMNS)
            .where(*where)
            .order_by(activities.c.seq.desc())
            .limit(listing.limit)
            .offset(listing.offset)
        ).mappings()
        items = [Activity(**{**row, "details": msgspec.json.decode(row["details"])}) for row in rows]
        return Page(items, total)
