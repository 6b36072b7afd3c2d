"""ISOs that became ready and were not compared with equal ones yet."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from isobay.catalog.tables import unsettled


class Unsettled:
    """The ISOs that wait for it. Each goes with its ISO."""

    def add(self, tx: Connection, iso_id: str) -> None:
        """Note that an ISO is to be compared."""
        if tx.execute(select(unsettled.c.iso_id).where(unsettled.c.iso_id == iso_id)).first() is None:
            tx.execute(insert(unsettled).values(iso_id=iso_id))

    def some(self, tx: Connection, limit: int) -> list[str]:
        """The ids of some that wait."""
        return list(tx.execute(select(unsettled.c.iso_id).order_by(unsettled.c.iso_id).limit(limit)).scalars())

    def remove(self, tx: Connection, iso_id: str) -> None:
        """Note that an ISO was compared."""
        tx.execute(delete(unsettled).where(unsettled.c.iso_id == iso_id))
