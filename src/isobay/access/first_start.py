"""What an empty catalogue gets: a connection, its zones, an environment, and one administrator key."""

from __future__ import annotations

from collections.abc import Collection
from uuid import uuid4

from isobay.access import secrets
from isobay.access.zones import ZONE, add_zones
from isobay.catalog import Catalog
from isobay.clock import utc_now
from isobay.errors import SettingsError
from isobay.model import ApiKey, Connection, ConnectionStatus, Environment, Named

SERVICE_CODE = "compute-on"
ENVIRONMENT = "test_area"
SHORTEST_KEY = 16


def furnish(catalog: Catalog, admin_key: str, zones: Collection[str]) -> str:
    """Furnish the catalogue if it is empty; the administrator key to print, or nothing where none was made.

    ``zones`` are the names of those that its connection has beside the first.

    One transaction: of two processes that start at once, one furnishes.
    """
    with catalog.writing() as tx:
        if catalog.connections.count(tx):
            return ""
        now = utc_now()
        connection = Connection(
            id=str(uuid4()),
            service_code=SERVICE_CODE,
            name="This machine",
            type="local",
            status=ConnectionStatus(last_updated=now, reachable=True),
        )
        catalog.connections.add(tx, connection, {})
        add_zones(catalog, tx, connection.id, {ZONE, *zones})
        environment = Environment(
            id=str(uuid4()),
            name=ENVIRONMENT,
            description="The first environment",
            service_connection=Named(connection.id),
            creation_date=now,
        )
        catalog.environments.add(tx, environment)
        made = "" if admin_key else secrets.new_secret()
        key = ApiKey(id=str(uuid4()), name="first administrator", role="administrator", environments=[], created=now)
        catalog.keys.add(tx, key, *secrets.hashed(made or _usable(admin_key)))
    return made


def _usable(admin_key: str) -> str:
    if len(admin_key) < SHORTEST_KEY:
        raise SettingsError(
            f"ISOBAY_ADMIN_KEY needs at least {SHORTEST_KEY} characters: it opens everything, and a shorter one can be "
            "guessed. Leave it out to have one made."
        )
    if not (admin_key.isascii() and admin_key.isprintable() and " " not in admin_key):
        raise SettingsError(
            "ISOBAY_ADMIN_KEY can hold printable ASCII characters without blanks: it goes into a header."
        )
    return admin_key
