"""Putting a local file on the shelf."""

from __future__ import annotations

from pathlib import Path

from msgspec import ValidationError, convert

from isobay.catalog import Catalog, Place
from isobay.engines.local.describing import described, description_of, name_of_file
from isobay.engines.local.new_isos import new_iso
from isobay.engines.local.os_types import OsTypes
from isobay.engines.local.sharing import Sharing
from isobay.errors import InvalidFieldsError
from isobay.image import open_image
from isobay.inspection import Report, RulesShelf, inspect
from isobay.model import Iso, Zone
from isobay.model.iso import Name
from isobay.objects import Objects, Progress, StoredObject


class Adder:
    """Adds files: an ISO is seen when its bytes are whole and durable, and not before."""

    def __init__(self, catalog: Catalog, objects: Objects, rules: RulesShelf, os_types: OsTypes, limit: int) -> None:
        self._catalog = catalog
        self._objects = objects
        self._rules = rules
        self._os_types = os_types
        self._limit = limit
        self._sharing = Sharing(catalog, objects)

    def add_file(self, place: Place, path: Path, name: str, progress: Progress) -> Iso:
        """Copy a file, read what it is, and put it on the shelf.

        Raises ImageError for what is no ISO (before anything is copied), SourceError for what cannot be
        read, StorageError where there is no room.
        """
        name = _checked(name) or name_of_file(path.name)
        with self._objects.receive_file(path, self._limit, progress, open_image) as received:
            stored = self._objects.open(received.object_id)
            try:
                report = self._inspect(stored)
            finally:
                stored.close()
            with self._catalog.writing() as tx:
                zones = self._catalog.connections.zones(tx, place.connection_id)
                iso = self._iso(report, zones, name, received.sha256)
                self._catalog.isos.add(tx, place, iso, received.object_id)
                if iso.bootable:
                    self._catalog.boot_proofs.await_one(tx, iso.id)
        self._sharing.settle(iso.id)
        return iso

    def _inspect(self, stored: StoredObject) -> Report:
        return inspect(stored.read_at, stored.size, self._rules.rules())

    def _iso(self, report: Report, zones: list[Zone], name: str, sha256: str) -> Iso:
        return new_iso(
            name,
            zones,
            description=description_of(report),
            size=report.size,
            ready=True,
            status="ready",
            progress=1.0,
            checksums={"sha256": sha256},
            **described(report, self._os_types),
        )


def _checked(name: str) -> str:
    try:
        return convert(name, Name) if name else ""
    except ValidationError as error:
        raise InvalidFieldsError({"name": str(error).replace("`", "")}) from error
