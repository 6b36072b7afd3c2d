"""Environments, as they are administered (a request's view of one is ``places``)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from isobay.catalog.connections import new_scope
from isobay.catalog.tables import connections, environments, isos, scopes
from isobay.model import Environment, Named

_SELECT = select(
    environments.c.id,
    environments.c.name,
    environments.c.description,
    environments.c.membership,
    environments.c.created,
    environments.c.max_bytes,
    environments.c.max_isos,
    connections.c.id.label("connection_id"),
    connections.c.name.label("connection_name"),
).join_from(environments, connections, environments.c.connection_id == connections.c.id)


class Environments:
    """The environments."""

    def all(self, tx: Connection, only: Collection[str] | None = None) -> list[Environment]:
        """Every environment, or those with the given ids, oldest first."""
        statement = _SELECT.order_by(environments.c.created, environments.c.id)
        if only is not None:
            statement = statement.where(environments.c.id.in_(list(only)))
        return [_environment(row) for row in tx.execute(statement)]

    def get(self, tx: Connection, environment_id: str) -> Environment | None:
        """The environment with this id."""
        row = tx.execute(_SELECT.where(environments.c.id == environment_id)).first()
        return _environment(row) if row else None

    def is_taken(self, tx: Connection, connection_id: str, name: str) -> bool:
        """Whether the connection has an environment of this name."""
        statement = select(environments.c.id).where(
            environments.c.connection_id == connection_id, environments.c.name == name
        )
        return tx.execute(statement).first() is not None

    def add(self, tx: Connection, environment: Environment) -> None:
        """Keep a new environment with a scope for its own ISOs."""
        tx.execute(
            insert(environments).values(
                id=environment.id,
                connection_id=environment.service_connection.id,
                scope_id=new_scope(tx),
                name=environment.name,
                description=environment.description,
                membership=environment.membership,
                created=environment.creation_date,
                max_bytes=environment.max_bytes,
                max_isos=environment.max_isos,
            )
        )

    def update(self, tx: Connection, environment: Environment) -> None:
        """Write the name, the description, the membership and the quotas."""
        tx.execute(
            update(environments)
            .where(environments.c.id == environment.id)
            .values(
                name=environment.name,
                description=environment.description,
                membership=environment.membership,
                max_bytes=environment.max_bytes,
                max_isos=environment.max_isos,
            )
        )

    def quotas(self, tx: Connection, environment_id: str) -> tuple[int, int]:
        """How many ISOs it may hold, and how many bytes; 0 where the settings say it, or there is none such."""
        statement = select(environments.c.max_isos, environments.c.max_bytes)
        row = tx.execute(statement.where(environments.c.id == environment_id)).first()
        return (row[0], row[1]) if row else (0, 0)

    def usages(self, tx: Connection, only: Collection[str] | None = None) -> dict[str, tuple[int, int]]:
        """How many ISOs belong to every environment that has some, or to those given, and their bytes in all."""
        statement = select(isos.c.environment_id, func.count(), func.sum(isos.c.size)).group_by(isos.c.environment_id)
        if only is not None:
            statement = statement.where(isos.c.environment_id.in_(list(only)))
        return {row[0]: (int(row[1]), int(row[2])) for row in tx.execute(statement)}

    def iso_count(self, tx: Connection, environment_id: str) -> int:
        """How many ISOs belong to it."""
        return tx.execute(
            select(func.count()).select_from(isos).where(isos.c.environment_id == environment_id)
        ).scalar_one()

    def delete(self, tx: Connection, environment_id: str) -> None:
        """Forget an environment that holds nothing any more."""
        scope = tx.execute(select(environments.c.scope_id).where(environments.c.id == environment_id)).scalar()
        tx.execute(delete(environments).where(environments.c.id == environment_id))
        tx.execute(delete(scopes).where(scopes.c.id == scope))


def _environment(row: Row[*tuple[Any, ...]]) -> Environment:
    return Environment(
        id=row.id,
        name=row.name,
        description=row.description,
        service_connection=Named(row.connection_id, row.connection_name),
        membership=row.membership,
        creation_date=row.created,
        max_bytes=row.max_bytes,
        max_isos=row.max_isos,
    )
