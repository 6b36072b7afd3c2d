"""A catalogue with three environments on two connections, on each kind of database."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from sqlalchemy import Connection as Transaction

from isobay.catalog import Catalog, Place, open_catalog
from isobay.model import Connection, ConnectionStatus, Environment, Iso, Listing, Named, Page, read_record

NOW = "2026-01-01T00:00:00.000000Z"


class Shelf:
    """The catalogue under test, with ``here``, ``beside`` (same connection) and ``elsewhere`` (another)."""

    def __init__(self, catalog: Catalog, url: str) -> None:
        self.catalog = catalog
        self.url = url
        self._random = random.Random(url.partition(":")[0])
        with catalog.writing() as tx:
            for number, code in ((1, "compute-on"), (2, "compute-qc")):
                catalog.connections.add(tx, connection(number, code), {"secret": "never read back"})
            for number, name, of in ((1, "here", 1), (2, "beside", 1), (3, "elsewhere", 2)):
                catalog.environments.add(tx, environment(number, name, of))

    def place(self, name: str = "here", tx: Transaction | None = None) -> Place:
        """The environment of this name as it is now."""
        if tx is not None:
            return self.catalog.places.named(tx, name)[0]
        with self.catalog.reading() as reading:
            return self.catalog.places.named(reading, name)[0]

    def new_id(self) -> str:
        """A UUID that nothing has yet, the same in every run."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def iso(self, **fields: object) -> Iso:
        """An ISO that is not on the shelf."""
        fields.setdefault("id", self.new_id())
        return Iso(**{"name": "Debian", "created": NOW, "updated": NOW, **fields})

    def add(self, name: str = "here", /, **fields: object) -> Iso:
        """Put an ISO on the shelf of an environment."""
        return self.add_all([self.iso(**fields)], name)[0]

    def add_all(self, isos: list[Iso], name: str = "here") -> list[Iso]:
        """Put ISOs on the shelf of an environment, in one transaction."""
        with self.catalog.writing() as tx:
            place = self.place(name, tx)
            for iso in isos:
                self.catalog.isos.add(tx, place, iso, f"object-{iso.id[:8]}")
        return isos

    def get(self, iso_id: str, name: str = "here") -> Iso | None:
        """The ISO as it is seen from an environment."""
        with self.catalog.reading() as tx:
            kept = self.catalog.isos.get(tx, self.place(name, tx), iso_id)
        return kept.iso if kept else None

    def delete(self, iso_id: str) -> None:
        """Take an ISO off the shelf."""
        with self.catalog.writing() as tx:
            self.catalog.isos.delete(tx, iso_id)

    def page(self, name: str = "here", /, **listing: object):
        """A page as it is seen from an environment."""
        with self.catalog.reading() as tx:
            page = self.catalog.isos.page(tx, self.place(name, tx), Listing(**{"limit": 1000, **listing}))
        return Page([read_record(record) for record in page.items], page.total, page.next_cursor)

    def all(self, name: str = "here", /, **listing: object) -> list[Iso]:
        """Everything that is seen from an environment, as it is streamed."""
        with self.catalog.reading() as tx:
            parts = self.catalog.isos.stream(tx, self.place(name, tx), Listing(**listing))
            return [read_record(record) for part in parts for record in part]

    def walk(self, name: str = "here", /, between: Callable[[], None] = lambda: None, **listing: object) -> list[Iso]:
        """Everything, page by page through the cursors; ``between`` is called after each page."""
        found, cursor = [], ""
        while True:
            page = self.page(name, cursor=cursor, **listing)
            found += page.items
            cursor = page.next_cursor
            if not cursor:
                return found
            between()


def connection(number: int, code: str) -> Connection:
    """A service connection."""
    status = ConnectionStatus(last_updated=NOW, reachable=True)
    return Connection(id=f"connection-{number}", service_code=code, name=code.title(), type="local", status=status)


def environment(number: int, name: str, of: int = 1) -> Environment:
    """An environment of a connection."""
    return Environment(
        id=f"environment-{number}",
        name=name,
        description="",
        service_connection=Named(f"connection-{of}"),
        creation_date=NOW,
    )


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    """Open an empty catalogue."""
    opened = open_catalog(database_url)
    yield opened
    opened.close()


@pytest.fixture
def shelf(catalog: Catalog, database_url: str) -> Shelf:
    """Fill a catalogue with connections and environments."""
    return Shelf(catalog, database_url)
