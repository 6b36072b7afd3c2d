"""API keys: found by a fingerprint of the secret, never by the secret."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, select

from isobay.catalog.tables import api_keys, key_environments
from isobay.model import ApiKey, Identity
from isobay.model.access import RoleName


class KeyRow(Struct, frozen=True):
    """A key as it is kept: whose it is, and the half of the hash that must be compared."""

    identity: Identity
    verifier: bytes


def key_row(
    key_id: str, verifier: bytes, name: str, role: RoleName, expires: str, environments: frozenset[str]
) -> KeyRow:
    """Build a KeyRow from its columns."""
    return KeyRow(identity=Identity(key_id, name, role, environments, expires), verifier=bytes(verifier))


_BY_FINGERPRINT = (
    select(
        api_keys.c.id,
        api_keys.c.verifier,
        api_keys.c.name,
        api_keys.c.role,
        api_keys.c.expires,
        key_environments.c.environment_id,
    )
    .select_from(api_keys.outerjoin(key_environments, key_environments.c.key_id == api_keys.c.id))
    .where(api_keys.c.fingerprint == bindparam("fingerprint"))
)

_BY_ID = (
    select(api_keys.c.id, api_keys.c.name, api_keys.c.role, api_keys.c.expires, key_environments.c.environment_id)
    .select_from(api_keys.outerjoin(key_environments, key_environments.c.key_id == api_keys.c.id))
    .where(api_keys.c.id == bindparam("key_id"))
)


class Keys:
    """The keys, and the environments each may enter."""

    def find(self, tx: Connection, fingerprint: bytes) -> KeyRow | None:
        """The key with this fingerprint, with all its environments."""
        rows = tx.execute(_BY_FINGERPRINT, {"fingerprint": fingerprint}).all()
        if not rows:
            return None
        return key_row(*rows[0][:5], frozenset(row[5] for row in rows if row[5]))

    def identity(self, tx: Connection, key_id: str) -> Identity | None:
        """Who holds the key with this id."""
        rows = tx.execute(_BY_ID, {"key_id": key_id}).all()
        if not rows:
            return None
        return Identity(*rows[0][:3], frozenset(row[4] for row in rows if row[4]), rows[0][3])

    def add(self, tx: Connection, key: ApiKey, fingerprint: bytes, verifier: bytes) -> None:
        """Keep a new key. Raises sqlalchemy's IntegrityError if the very secret is there already."""
        tx.execute(
            insert(api_keys).values(
                id=key.id,
                fingerprint=fingerprint,
                verifier=verifier,
                name=key.name,
                role=key.role,
                created=key.created,
                expires=key.expires,
            )
        )
        for environment_id in key.environments:
            tx.execute(insert(key_environments).values(key_id=key.id, environment_id=environment_id))

    def all(self, tx: Connection) -> list[ApiKey]:
        """Every key, oldest first."""
        rows = tx.execute(
            select(api_keys.c.id, api_keys.c.name, api_keys.c.role, api_keys.c.created, api_keys.c.expires).order_by(
                api_keys.c.created, api_keys.c.id
            )
        ).all()
        entered: dict[str, list[str]] = {}
        for key_id, environment_id in tx.execute(
            select(key_environments.c.key_id, key_environments.c.environment_id).order_by(
                key_environments.c.environment_id
            )
        ):
            entered.setdefault(key_id, []).append(environment_id)
        return [
            ApiKey(
                id=row.id,
                name=row.name,
                role=row.role,
                environments=entered.get(row.id, []),
                created=row.created,
                expires=row.expires,
            )
            for row in rows
        ]

    def delete(self, tx: Connection, key_ids: Iterable[str]) -> None:
        """Forget keys."""
        tx.execute(delete(api_keys).where(api_keys.c.id.in_(list(key_ids))))
