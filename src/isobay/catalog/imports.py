"""What imports were asked for, kept until the ISO goes."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, insert, select, update

from isobay.catalog.tables import imports


class Import(Struct, frozen=True):
    """What an ISO that comes from a URL was asked for with.

    ``request`` is sealed and ``version`` is JSON that tells which file the server began to give; only
    who wrote them can read them.
    """

    iso_id: str
    request: str
    version: str = ""


class Imports:
    """The imports."""

    def add(self, tx: Connection, new: Import) -> None:
        """Keep what was asked for. It goes with its ISO."""
        tx.execute(insert(imports).values(iso_id=new.iso_id, request=new.request, version=new.version))

    def get(self, tx: Connection, iso_id: str) -> Import | None:
        """The import that this ISO comes from."""
        columns = (imports.c.iso_id, imports.c.request, imports.c.version)
        row = tx.execute(select(*columns).where(imports.c.iso_id == iso_id)).first()
        return Import(*row) if row else None

    def set_version(self, tx: Connection, iso_id: str, version: str) -> None:
        """Note which file the server gives."""
        tx.execute(update(imports).where(imports.c.iso_id == iso_id).values(version=version))
