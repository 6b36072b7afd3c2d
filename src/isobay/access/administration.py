"""What is administered, not shelved: environments and service connections."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import UNSET

from isobay.access.door import Door
from isobay.access.roles import require
from isobay.access.zones import ZONE, add_zones
from isobay.catalog import Catalog, Place
from isobay.clock import utc_now
from isobay.engines.interface import Engine
from isobay.errors import AlreadyExistsError, ConflictError, InvalidFieldsError, NotFoundError
from isobay.model import Connection, ConnectionStatus, Environment, Identity, Named
from isobay.model.requests import EnvironmentEdit, NewConnection, NewEnvironment


class Environments:
    """Environments, for those who may manage them."""

    def __init__(self, catalog: Catalog, door: Door) -> None:
        self._catalog = catalog
        self._door = door

    def all(self, identity: Identity) -> list[Environment]:
        """Those the caller may enter."""
        only = seen_by(identity)
        with self._catalog.reading() as tx:
            found = self._catalog.environments.all(tx, only)
            usages = self._catalog.environments.usages(tx, only)
        return [_with_usage(each, usages) for each in found]

    def get(self, identity: Identity, environment_id: str) -> Environment:
        """One that the caller may enter. Raises NotFoundError for any other."""
        with self._catalog.reading() as tx:
            found = self._catalog.environments.get(tx, environment_id)
            usages = self._catalog.environments.usages(tx, [environment_id])
        if found is None or not identity.may_enter(environment_id):
            raise NotFoundError.of("environments", environment_id)
        return _with_usage(found, usages)

    def named(self, identity: Identity, place: Place, names: Sequence[str]) -> list[str]:
        """The ids of other environments of the place's service by their names, of which the caller may enter each.

        Raises NotFoundError for a name that is none of them, InvalidFieldsError where no other is named.
        """
        with self._catalog.reading() as tx:
            found = self._catalog.environments.all(tx, seen_by(identity))
        ids = {each.name: each.id for each in found if each.service_connection.id == place.connection_id}
        for name in names:
            if name not in ids:
                raise NotFoundError.of("environments", name)
        others = sorted({ids[name] for name in names} - {place.environment_id})
        if not others:
            raise InvalidFieldsError({"sharedWith": "must name another environment"})
        return others

    def create(self, identity: Identity, new: NewEnvironment) -> Environment:
        """Make an environment. Raises NotFoundError for no such connection, AlreadyExistsError for a taken name."""
        with self._catalog.writing() as tx:
            connections = self._catalog.connections.all(tx)
            wanted = new.service_connection.id if new.service_connection else connections[0].id
            connection = next((each for each in connections if each.id == wanted), None)
            if connection is None:
                raise NotFoundError.of("connections", wanted)
            environment = Environment(
                id=str(uuid4()),
                name=new.name,
                description=new.description,
                service_connection=Named(connection.id, connection.name),
                membership=new.membership,
                creation_date=utc_now(),
                max_bytes=new.max_bytes,
                max_isos=new.max_isos,
            )
            if self._catalog.environments.is_taken(tx, connection.id, new.name):
                raise _taken("environments", new.name)
            self._catalog.environments.add(tx, environment)
        self._record(identity, "environment.create", environment)
        return environment

    def edit(self, identity: Identity, environment_id: str, edit: EnvironmentEdit) -> Environment:
        """Change what is given. Raises AlreadyExistsError for a name that is taken.

        Raises ForbiddenError where others than administrators would change a quota.
        """
        before = self.get(identity, environment_id)
        if edit.max_bytes is not UNSET or edit.max_isos is not UNSET:
            require(identity, "administer")
        changed = {name: value for name, value in msgspec.structs.asdict(edit).items() if value is not UNSET}
        after = msgspec.structs.replace(before, **changed)
        with self._catalog.writing() as tx:
            if after.name != before.name and self._catalog.environments.is_taken(
                tx, after.service_connection.id, after.name
            ):
                raise _taken("environments", after.name)
            self._catalog.environments.update(tx, after)
        self._record(identity, "environment.edit", after, changed=sorted(changed))
        return after

    def delete(self, identity: Identity, environment_id: str) -> None:
        """Delete an environment that holds no ISO and no instance. Raises ConflictError for one that does."""
        environment = self.get(identity, environment_id)
        with self._catalog.writing() as tx:
            count = self._catalog.environments.iso_count(tx, environment_id)
            instances = self._catalog.instances.count(tx, environment_id)
            if count or instances:
                raise ConflictError(
                    f"The environment {environment.name!r} holds {count} ISOs and {instances} instances. "
                    "Delete the ISOs and purge the instances first, then the environment.",
                    type="environments",
                    id=environment_id,
                    isos=count,
                    instances=instances,
                )
            self._catalog.environments.delete(tx, environment_id)
        self._record(identity, "environment.delete", environment)

    def _record(self, identity: Identity, operation: str, environment: Environment, **details: Any) -> None:
        self._door.record(
            identity,
            operation,
            environment_id=environment.id,
            object_id=environment.id,
            name=environment.name,
            **details,
        )


class Connections:
    """Service connections, for administrators; anyone with a key may see that they are there."""

    def __init__(self, catalog: Catalog, door: Door, engines: dict[str, Engine], zones: Collection[str]) -> None:
        """``zones`` are the names of those that every new connection has beside the first."""
        self._catalog = catalog
        self._door = door
        self._engines = engines
        self._zones = {ZONE, *zones}

    def all(self) -> list[Connection]:
        """Every connection."""
        with self._catalog.reading() as tx:
            return self._catalog.connections.all(tx)

    def get(self, connection_id: str) -> Connection:
        """One connection. Raises NotFoundError."""
        with self._catalog.reading() as tx:
            found = self._catalog.connections.get(tx, connection_id)
        if found is None:
            raise NotFoundError.of("connections", connection_id)
        return found

    def create(self, identity: Identity, new: NewConnection) -> Connection:
        """Make a connection. Raises AlreadyExistsError for a code that is taken."""
        connection = Connection(
            id=str(uuid4()),
            service_code=new.service_code,
            name=new.name,
            type=new.type,
            status=self._status(new.type),
        )
        with self._catalog.writing() as tx:
            if self._catalog.connections.by_code(tx, new.service_code) or new.service_code == "connections":
                raise _taken("connections", new.service_code)
            self._catalog.connections.add(tx, connection, {each.parameter: each.value for each in new.parameters})
            add_zones(self._catalog, tx, connection.id, self._zones)
        self._door.record(identity, "connection.create", object_id=connection.id, name=connection.service_code)
        return connection

    def test(self, connection_id: str) -> Connection:
        """Ask the engine behind a connection whether it answers, and note what it said."""
        connection = self.get(connection_id)
        status = self._status(connection.type)
        with self._catalog.writing() as tx:
            self._catalog.connections.set_status(tx, connection_id, status)
        return msgspec.structs.replace(connection, status=status)

    def _status(self, kind: str) -> ConnectionStatus:
        return ConnectionStatus(last_updated=utc_now(), reachable=self._engines[kind].reachable())


def seen_by(identity: Identity) -> frozenset[str] | None:
    """The environments (ids) that a caller may know of; None for all."""
    return None if identity.role == "administrator" else identity.environments


def _with_usage(environment: Environment, usages: dict[str, tuple[int, int]]) -> Environment:
    count, size = usages.get(environment.id, (0, 0))
    return msgspec.structs.replace(environment, used_isos=count, used_bytes=size)


def _taken(kind: str, name: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"The name {name!r} is taken in {kind}. Choose another.", type=kind, name=name)
