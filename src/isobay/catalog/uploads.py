"""What uploads were begun, how long each is to be, and when it is given up."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from isobay.catalog.tables import isos, uploads

_COLUMNS = (uploads.c.iso_id, uploads.c.length, uploads.c.request, uploads.c.expires, uploads.c.whole)


class Upload(Struct, frozen=True):
    """An ISO that somebody sends, or sent: ``length`` is its size in bytes, -1 where only the end tells.

    ``request`` is JSON that only who wrote it reads. The upload is forgotten some time after ``expires``.
    It is ``whole`` from just before its last byte is taken.
    """

    iso_id: str
    length: int
    request: str
    expires: str
    whole: bool = False


class Uploads:
    """The uploads."""

    def add(self, tx: Connection, new: Upload) -> None:
        """Keep what was asked for. It goes with its ISO."""
        values = {"iso_id": new.iso_id, "length": new.length, "request": new.request, "expires": new.expires}
        tx.execute(insert(uploads).values(values))

    def get(self, tx: Connection, iso_id: str) -> Upload | None:
        """The upload that this ISO comes from."""
        row = tx.execute(select(*_COLUMNS).where(uploads.c.iso_id == iso_id)).first()
        return Upload(*row) if row else None

    def note(self, tx: Connection, iso_id: str, request: str, *, whole: bool) -> None:
        """Note what is to be known of it from now on."""
        tx.execute(update(uploads).where(uploads.c.iso_id == iso_id).values(request=request, whole=whole))

    def postpone(self, tx: Connection, iso_id: str, expires: str) -> None:
        """Note that it lives."""
        tx.execute(update(uploads).where(uploads.c.iso_id == iso_id).values(expires=expires))

    def forget(self, tx: Connection, iso_id: str) -> None:
        """Let go of the upload; its ISO stays."""
        tx.execute(delete(uploads).where(uploads.c.iso_id == iso_id))

    def expired(self, tx: Connection, now: str, limit: int) -> list[str]:
        """The ids of those that are to be forgotten, the oldest first."""
        statement = select(uploads.c.iso_id).where(uploads.c.expires <= now)
        return list(tx.execute(statement.order_by(uploads.c.expires).limit(limit)).scalars())

    def whole(self, tx: Connection) -> list[str]:
        """The ids of those whose ISO is still arriving, though all of it may be there."""
        statement = select(uploads.c.iso_id).join(isos, isos.c.id == uploads.c.iso_id)
        return list(tx.execute(statement.where(uploads.c.whole, isos.c.status == "uploading")).scalars())
