"""The catalogue: one database, and a room for each noun in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from isobay.catalog.activities import Activities
from isobay.catalog.boot_proofs import BootProofs
from isobay.catalog.checks import Checks
from isobay.catalog.connections import Connections
from isobay.catalog.database import NOT_ANSWERING, Database, reason_of
from isobay.catalog.environments import Environments
from isobay.catalog.holding import Holding
from isobay.catalog.imports import Imports
from isobay.catalog.instances import Instances
from isobay.catalog.isos import Isos, Kept
from isobay.catalog.keys import KeyRow, Keys
from isobay.catalog.places import Place, Places
from isobay.catalog.sharing import Sharing
from isobay.catalog.tasks import Tasks
from isobay.catalog.unchanged import Unchanged, about_to_wait
from isobay.catalog.unsettled import Unsettled
from isobay.catalog.uploads import Uploads
from isobay.errors import IsobayError, UnavailableError
from isobay.model import IsoRecord, Listing, Page

REMEMBERED = 4096
REMEMBERED_PAGES = 256
SMALL_PAGE = 100


class Catalog:
    """What isobay knows. The nouns' methods take the transaction that the caller opened here."""

    def __init__(self, database: Database, task_days: int) -> None:
        self._database = database
        self.activities = Activities()
        self.boot_proofs = BootProofs()
        self.checks = Checks()
        self.connections = Connections()
        self.environments = Environments()
        self.holding = Holding(database)
        self.imports = Imports()
        self.instances = Instances()
        self.isos = Isos()
        self.keys = Keys()
        self.places = Places()
        self.sharing = Sharing()
        self.tasks = Tasks(task_days)
        self.unsettled = Unsettled()
        self.uploads = Uploads()
        self._unchanged = Unchanged(database.path, REMEMBERED)
        self._pages = Unchanged(database.path, REMEMBERED_PAGES)

    def admit(self, fingerprint: bytes, service_code: str, environment_name: str) -> tuple[KeyRow, Place | None] | None:
        """The key with this fingerprint and the environment of this name, where there are such.

        It stands before every request, and is remembered while nobody writes.
        """

        def ask() -> tuple[KeyRow, Place | None] | None:
            with self.reading() as tx:
                return self.places.admit(tx, fingerprint, service_code, environment_name)

        return self._unchanged.answer((fingerprint, service_code, environment_name), ask)

    def iso(self, place: Place, iso_id: str) -> Kept | None:
        """The ISO with this id, if it is seen from the place; remembered while nobody writes."""

        def ask() -> Kept | None:
            with self.reading() as tx:
                return self.isos.get(tx, place, iso_id)

        return self._unchanged.answer((place.scopes, iso_id), ask)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection on which every statement sees what is committed now.

        Raises UnavailableError when the database stops to answer.
        """
        about_to_wait()
        try:
            with self._database.reading() as tx:
                yield tx
        except OperationalError as error:
            raise _unavailable(error) from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: committed at the end, undone by an exception.

        Raises UnavailableError when the database stops to answer, or is locked or full.
        """
        about_to_wait()
        try:
            with self._database.writing() as tx:
                yield tx
        except OperationalError as error:
            raise _unavailable(error) from error

    def page(self, place: Place, listing: Listing) -> Page[IsoRecord]:
        """One page of the ISOs that are seen from the place; a small one is remembered while nobody writes."""

        def ask() -> Page[IsoRecord]:
            with self.reading() as tx:
                return self.isos.page(tx, place, listing)

        # A large page is not asked for again and again, and would crowd the small ones out.
        return self._pages.answer((place, listing), ask) if listing.limit <= SMALL_PAGE else ask()

    @property
    def server(self) -> str:
        """The URL of the PostgreSQL database, password and all, as libpq reads it; empty for SQLite."""
        return self._database.server

    def answers(self) -> bool:
        """Whether the database answers and its tables are of this version."""
        return self._database.answers()

    def close(self) -> None:
        """Give every connection back."""
        self._unchanged.close()
        self._pages.close()
        self.holding.close()
        self._database.close()


def _unavailable(error: OperationalError) -> UnavailableError:
    return UnavailableError(
        f"The catalogue's database does not answer ({reason_of(error)}). "
        "Try again; see that it runs and that its disk has room.",
        public=NOT_ANSWERING,
    )


def open_catalog(url: str, task_days: int = 7) -> Catalog:
    """Open the catalogue at a database URL, making or upgrading its tables.

    Raises SettingsError for a URL that is none, UnavailableError when the database does not answer.
    """
    database = Database(url)
    try:
        database.upgrade()
    except IsobayError:
        database.close()
        raise
    return Catalog(database, task_days)
