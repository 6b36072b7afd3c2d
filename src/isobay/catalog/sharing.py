"""Sharing: a set of environments that see something together has one scope, and keeps it while something is in it."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256

from sqlalchemy import Connection, delete, exists, func, insert, select

from isobay.catalog.connections import new_scope
from isobay.catalog.tables import environments, isos, scopes, share_members, share_sets
from isobay.errors import ConflictError

MOST_SETS = 100  # each is one more stream that the lists of an environment are merged from


class Sharing:
    """The sets, each of the environment that shares and of those it shares with."""

    def scope(self, tx: Connection, owner_id: str, others: Collection[str]) -> int:
        """The scope of what an environment shares with others (ids), made where there is none.

        Raises ConflictError where one of them sees too many sets already.
        """
        members = sorted({owner_id, *others})
        digest = sha256(",".join(members).encode()).digest()
        found = tx.execute(
            select(share_sets.c.scope_id).where(share_sets.c.environment_id == owner_id, share_sets.c.digest == digest)
        ).scalar()
        if found is not None:
            return int(found)
        self._check_room(tx, members)
        scope_id = new_scope(tx)
        tx.execute(insert(share_sets).values(scope_id=scope_id, environment_id=owner_id, digest=digest))
        tx.execute(insert(share_members), [{"environment_id": each, "scope_id": scope_id} for each in members])
        return scope_id

    def names(self, tx: Connection, iso_id: str, owner_id: str) -> list[str]:
        """The names of the environments that an ISO is shared with."""
        statement = (
            select(environments.c.name)
            .join_from(share_members, environments, share_members.c.environment_id == environments.c.id)
            .join(isos, isos.c.scope_id == share_members.c.scope_id)
            .where(isos.c.id == iso_id, environments.c.id != owner_id)
        )
        return list(tx.execute(statement.order_by(environments.c.name)).scalars())

    def _check_room(self, tx: Connection, members: list[str]) -> None:
        counts = (
            select(share_members.c.environment_id)
            .where(share_members.c.environment_id.in_(members))
            .group_by(share_members.c.environment_id)
            .having(func.count() >= MOST_SETS)
        )
        full = tx.execute(counts).scalar()
        if full is not None:
            raise ConflictError(
                f"One of the environments takes part in {MOST_SETS} different sets of environments that share "
                "something, as many as it may. Share with a set of environments that there is already.",
                type="environments",
                id=full,
                limit=MOST_SETS,
            )


def forget_if_empty(tx: Connection, scope_id: int) -> None:
    """Forget a set in whose scope nothing is any more."""
    is_used = exists().where(isos.c.scope_id == scope_id)
    gone = tx.execute(delete(share_sets).where(share_sets.c.scope_id == scope_id, ~is_used))
    if gone.rowcount:
        tx.execute(delete(scopes).where(scopes.c.id == scope_id))
