"""The zones of connections: the first, and those that the settings name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import uuid4

from isobay.catalog import Catalog, Transaction
from isobay.model import Zone

ZONE = "zone1"


def make_zones(catalog: Catalog, kind: str, names: Collection[str]) -> None:
    """Make the zones of these names in every connection of a type that lacks them, and put its ISOs into them.

    One transaction: of two processes that start at once, one makes them. One query where none is lacking.
    """
    with catalog.reading() as tx:
        if not catalog.connections.lacking(tx, kind, names):
            return
    with catalog.writing() as tx:
        # Another process may have made them since.
        for connection_id, lacking in catalog.connections.lacking(tx, kind, names).items():
            catalog.isos.put_into(tx, connection_id, add_zones(catalog, tx, connection_id, lacking))


def add_zones(catalog: Catalog, tx: Transaction, connection_id: str, names: Iterable[str]) -> list[Zone]:
    """Make zones of these names in a connection that has none of them."""
    zones = [Zone(str(uuid4()), name) for name in names]
    for zone in zones:
        catalog.connections.add_zone(tx, connection_id, zone)
    return zones
