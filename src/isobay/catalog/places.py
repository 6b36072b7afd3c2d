"""Who asks, and where: the one query that stands before every request to an environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Text, and_, bindparam, cast, func, select

from isobay.catalog.keys import KeyRow, key_row
from isobay.catalog.tables import api_keys, connections, environments, key_environments, scopes, share_members


class Place(Struct, frozen=True):
    """An environment, its connection, and the scopes whose ISOs are seen from it.

    ``shared`` has the id and the revision of each set of environments that it takes part in.

    The revisions are those of the moment of the query: what was remembered under them still holds.
    """

    environment_id: str
    environment_name: str
    connection_id: str
    connection_type: str
    private_scope: int
    public_scope: int
    private_revision: int
    public_revision: int
    shared: tuple[tuple[int, int], ...] = ()

    @property
    def scopes(self) -> tuple[int, ...]:
        """The ids of all scopes, in the order of ``queries.scope_names``."""
        return (self.private_scope, self.public_scope, *(scope for scope, _ in self.shared))

    @property
    def revisions(self) -> tuple[int, ...]:
        """The revisions of all scopes: what was remembered under them holds as long as they are the same."""
        return (self.private_revision, self.public_revision, *(revision for _, revision in self.shared))


_private = scopes.alias("private")
_public = scopes.alias("public")
_set = scopes.alias("share_set")
# As one text: a request is met by one row, however many sets its environment is in.
_shared = (
    select(func.aggregate_strings(cast(_set.c.id, Text).concat(":").concat(cast(_set.c.revision, Text)), ","))
    .select_from(share_members.join(_set, share_members.c.scope_id == _set.c.id))
    .where(share_members.c.environment_id == environments.c.id)
    .correlate(environments)
    .scalar_subquery()
)
_PLACE = (
    environments.c.id,
    environments.c.name,
    connections.c.id.label("connection_id"),
    connections.c.type,
    environments.c.scope_id,
    connections.c.scope_id.label("public_scope_id"),
    _private.c.revision,
    _public.c.revision.label("public_revision"),
    _shared.label("shared"),
)
_there = (
    environments.join(connections, environments.c.connection_id == connections.c.id)
    .join(_private, environments.c.scope_id == _private.c.id)
    .join(_public, connections.c.scope_id == _public.c.id)
)
_member = key_environments.alias("member")
_ADMIT = (
    select(
        api_keys.c.id.label("key_id"),
        api_keys.c.verifier,
        api_keys.c.name.label("key_name"),
        api_keys.c.role,
        api_keys.c.expires,
        _member.c.environment_id.label("member_of"),
        *_PLACE,
    )
    .select_from(
        api_keys.outerjoin(
            _there,
            and_(
                connections.c.service_code == bindparam("service_code"),
                environments.c.name == bindparam("environment_name"),
            ),
        ).outerjoin(_member, and_(_member.c.key_id == api_keys.c.id, _member.c.environment_id == environments.c.id))
    )
    .where(api_keys.c.fingerprint == bindparam("fingerprint"))
)
_BY_NAME = (
    select(*_PLACE)
    .select_from(_there)
    .where(
        environments.c.name == bindparam("environment_name"),
        # The operator's own commands may leave the service out where the name is enough.
        (connections.c.service_code == bindparam("service_code")) | (bindparam("service_code") == ""),
    )
)
_BY_ID = select(*_PLACE).select_from(_there).where(environments.c.id == bindparam("environment_id"))


class Places:
    """Environments as a request meets them."""

    def admit(
        self, tx: Connection, fingerprint: bytes, service_code: str, environment_name: str
    ) -> tuple[KeyRow, Place | None] | None:
        """The key with this fingerprint, and the environment of this name if there is one.

        The key's ``environments`` hold this environment only, and only if it is a member.
        """
        row = tx.execute(
            _ADMIT,
            {"fingerprint": fingerprint, "service_code": service_code, "environment_name": environment_name},
        ).first()
        if row is None:
            return None
        key = key_row(*row[:5], frozenset((row[5],)) if row[5] else frozenset())
        return key, _place(row[6:]) if row[6] is not None else None

    def named(self, tx: Connection, environment_name: str, service_code: str = "") -> list[Place]:
        """Every environment of this name, of one service or of all."""
        parameters = {"environment_name": environment_name, "service_code": service_code}
        return [_place(row) for row in tx.execute(_BY_NAME, parameters)]

    def by_id(self, tx: Connection, environment_id: str) -> Place | None:
        """The environment with this id."""
        row = tx.execute(_BY_ID, {"environment_id": environment_id}).first()
        return _place(row) if row else None


def _place(row: Sequence[Any]) -> Place:
    *plain, shared = row
    pairs = (pair.split(":") for pair in shared.split(",")) if shared else ()
    sets = sorted((int(scope), int(revision)) for scope, revision in pairs)
    return Place(*[*plain, tuple(sets)])
