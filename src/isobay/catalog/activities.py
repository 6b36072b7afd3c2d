"""The activity log: what was done, by whom."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, func, insert, select

from isobay.catalog.tables import activities
from isobay.model import Activity, Page

_COLUMNS = tuple(column for column in activities.c if column.name != "seq")


class Activities:
    """The log, newest first."""

    def add(self, tx: Connection, activity: Activity) -> None:
        """Write one entry."""
        values = msgspec.structs.asdict(activity)
        values["details"] = msgspec.json.encode(activity.details).decode()
        tx.execute(insert(activities).values(values))

    def page(self, tx: Connection, environments: Collection[str] | None, limit: int, offset: int) -> Page[Activity]:
        """Some entries, newest first: of the given environments (ids), or of all."""
        where = () if environments is None else (activities.c.environment_id.in_(list(environments)),)
        total = tx.execute(select(func.count()).select_from(activities).where(*where)).scalar_one()
        if offset >= total:
            return Page([], total)
        rows = tx.execute(
            select(*_COLUMNS).where(*where).order_by(activities.c.seq.desc()).limit(limit).offset(offset)
        ).mappings()
        items = [Activity(**{**row, "details": msgspec.json.decode(row["details"])}) for row in rows]
        return Page(items, total)
