"""When the bytes of images were last compared with what is known of them, and which ISOs lost theirs.

Times are written as ``clock`` writes them. Who reads an object claims it first, and renews the claim while it reads:
the time of the last sign of life is also what tells one claim from another.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from isobay.catalog.tables import isos, object_checks, was_whole


class Checks:
    """The objects as ISOs name them, and when each was checked."""

    def objects(self, tx: Connection, after: str, limit: int) -> list[str]:
        """Objects of ISOs that are ready, in the order of their ids, behind one of them."""
        statement = select(isos.c.object_id).distinct().where(isos.c.ready, isos.c.object_id > after)
        return list(tx.execute(statement.order_by(isos.c.object_id).limit(limit)).scalars())

    def total(self, tx: Connection) -> int:
        """The bytes of all objects of ISOs that are ready."""
        each = select(isos.c.object_id, isos.c.size).distinct().where(isos.c.ready).subquery()
        return int(tx.execute(select(func.coalesce(func.sum(each.c.size), 0))).scalar_one())

    def isos_of(self, tx: Connection, object_id: str) -> list[str]:
        """The ids of the ISOs that are ready with an object."""
        statement = select(isos.c.id).where(isos.c.object_id == object_id, isos.c.ready)
        return list(tx.execute(statement.order_by(isos.c.seq)).scalars())

    def equal(self, tx: Connection, sha256: str, size: int, environment_id: str = "") -> list[str]:
        """The objects of ISOs that are ready with this hash, not empty, and size: of all environments, or of one."""
        statement = (
            select(isos.c.object_id).distinct().where(isos.c.sha256 == sha256, isos.c.size == size, isos.c.ready)
        )
        if environment_id:
            statement = statement.where(isos.c.environment_id == environment_id)
        return list(tx.execute(statement.order_by(isos.c.object_id)).scalars())

    def lost(self, tx: Connection) -> list[str]:
        """The ids of the ISOs that were ready once and have no good bytes now."""
        return list(tx.execute(select(isos.c.id).where(was_whole).order_by(isos.c.seq)).scalars())

    def count_lost(self, tx: Connection) -> int:
        """How many they are."""
        return int(tx.execute(select(func.count()).select_from(isos).where(was_whole)).scalar_one())

    def due(self, tx: Connection, before: str, dead: str, limit: int) -> list[str]:
        """Objects of ISOs that are ready, not checked since ``before`` nor claimed since ``dead``, oldest first."""
        is_ready = select(isos.c.seq).where(isos.c.object_id == object_checks.c.object_id, isos.c.ready).exists()
        statement = select(object_checks.c.object_id).where(*_is_due(before, dead), is_ready)
        ordered = statement.order_by(object_checks.c.checked, object_checks.c.object_id)
        return list(tx.execute(ordered.limit(limit)).scalars())

    def claim(self, tx: Connection, object_id: str, now: str, before: str, dead: str) -> bool:
        """Claim an object that is due; False where somebody else has it, or had it meanwhile, or it is gone."""
        statement = update(object_checks).where(object_checks.c.object_id == object_id, *_is_due(before, dead))
        return tx.execute(statement.values(claimed=now)).rowcount > 0

    def renew(self, tx: Connection, object_id: str, claimed: str, now: str) -> bool:
        """Give a sign of life; False where the claim is another's by now."""
        return self._write(tx, object_id, claimed, {"claimed": now})

    def end(self, tx: Connection, object_id: str, claimed: str, now: str) -> bool:
        """Note that the object was checked, and give the claim back; False where it is another's by now."""
        return self._write(tx, object_id, claimed, {"claimed": "", "checked": now})

    def _write(self, tx: Connection, object_id: str, claimed: str, values: dict[str, str]) -> bool:
        ours = (object_checks.c.object_id == object_id, object_checks.c.claimed == claimed)
        return tx.execute(update(object_checks).where(*ours).values(values)).rowcount > 0


def begin_checks(tx: Connection, object_id: str, checked: str) -> None:
    """Have an object checked from now on that an ISO became ready with; it was hashed when it came."""
    if tx.execute(select(object_checks.c.object_id).where(object_checks.c.object_id == object_id)).first() is None:
        tx.execute(insert(object_checks).values(object_id=object_id, checked=checked, claimed=""))


def end_checks(tx: Connection, object_id: str) -> None:
    """Forget an object, unless an ISO names it."""
    is_named = select(isos.c.seq).where(isos.c.object_id == object_id).exists()
    tx.execute(delete(object_checks).where(object_checks.c.object_id == object_id, ~is_named))


def _is_due(before: str, dead: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return object_checks.c.checked < before, object_checks.c.claimed < dead
