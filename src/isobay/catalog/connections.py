"""Service connections and their zones."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection as Transaction
from sqlalchemy import Row, func, insert, select, update

from isobay.catalog.tables import connections, scopes, zones
from isobay.clock import utc_now
from isobay.model import Connection, ConnectionStatus, Zone

_COLUMNS = (
    connections.c.id,
    connections.c.service_code,
    connections.c.name,
    connections.c.type,
    connections.c.last_updated,
    connections.c.reachable,
)


class Connections:
    """The service connections."""

    def all(self, tx: Transaction) -> list[Connection]:
        """Every connection, oldest first."""
        return [_connection(row) for row in tx.execute(select(*_COLUMNS).order_by(connections.c.created))]

    def get(self, tx: Transaction, connection_id: str) -> Connection | None:
        """The connection with this id."""
        row = tx.execute(select(*_COLUMNS).where(connections.c.id == connection_id)).first()
        return _connection(row) if row else None

    def by_code(self, tx: Transaction, service_code: str) -> Connection | None:
        """The connection with this service code."""
        row = tx.execute(select(*_COLUMNS).where(connections.c.service_code == service_code)).first()
        return _connection(row) if row else None

    def add(self, tx: Transaction, connection: Connection, parameters: dict[str, str]) -> None:
        """Keep a new connection with a scope for its public ISOs."""
        tx.execute(
            insert(connections).values(
                id=connection.id,
                service_code=connection.service_code,
                name=connection.name,
                type=connection.type,
                parameters=msgspec.json.encode(parameters).decode(),
                scope_id=new_scope(tx),
                reachable=connection.status.reachable,
                last_updated=connection.status.last_updated,
                created=utc_now(),
            )
        )

    def set_status(self, tx: Transaction, connection_id: str, status: ConnectionStatus) -> None:
        """Note whether the engine answered."""
        tx.execute(
            update(connections)
            .where(connections.c.id == connection_id)
            .values(reachable=status.reachable, last_updated=status.last_updated)
        )

    def zones(self, tx: Transaction, connection_id: str) -> list[Zone]:
        """The connection's zones, by name."""
        rows = tx.execute(
            select(zones.c.id, zones.c.name).where(zones.c.connection_id == connection_id).order_by(zones.c.name)
        )
        return [Zone(id=row.id, name=row.name) for row in rows]

    def add_zone(self, tx: Transaction, connection_id: str, zone: Zone) -> None:
        """Keep a new zone."""
        tx.execute(insert(zones).values(id=zone.id, connection_id=connection_id, name=zone.name))

    def lacking(self, tx: Transaction, kind: str, names: Collection[str]) -> dict[str, list[str]]:
        """Which of these zones connections of a type lack: names by the id of the connection, where it lacks any."""
        found = (
            select(connections.c.id, zones.c.name)
            .join_from(connections, zones, isouter=True)
            .where(connections.c.type == kind)
            .order_by(connections.c.created)
        )
        there: dict[str, set[str]] = {}
        for connection_id, name in tx.execute(found):
            there.setdefault(connection_id, set()).add(name)
        lacking = {connection_id: sorted({*names} - has) for connection_id, has in there.items()}
        return {connection_id: those for connection_id, those in lacking.items() if those}

    def count(self, tx: Transaction) -> int:
        """How many connections there are."""
        return tx.execute(select(func.count()).select_from(connections)).scalar_one()


def new_scope(tx: Transaction) -> int:
    """Make an empty scope and give its id."""
    key = tx.execute(insert(scopes).values(revision=new_revision())).inserted_primary_key
    assert key is not None, "an INSERT of one row always has a primary key"  # noqa: S101 -- for the type checker
    return int(key[0])


def new_revision() -> int:
    """A revision that no scope ever had: counting up would give those of an undone transaction again."""
    return secrets.randbits(63)


def _connection(row: Row[*tuple[Any, ...]]) -> Connection:
    return Connection(
        id=row[0],
        service_code=row[1],
        name=row[2],
        type=row[3],
        status=ConnectionStatus(last_updated=row[4], reachable=row[5]),
    )
