"""Giving images out: which may be had, and their bytes."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from uuid import uuid4

from isobay.catalog import Catalog, Place
from isobay.catalog.isos import Kept
from isobay.clock import utc_now
from isobay.engines.opened import Opened
from isobay.errors import ForbiddenError, NotFoundError, StorageError, WrongStateError
from isobay.image import open_image
from isobay.inspection.contents import content_of
from isobay.model import Identity, Iso, Task
from isobay.objects import Objects, StoredObject

LINK_KIND = "iso.link"


class Downloads:
    """Opens images as they are seen from a place. What is open can be read to its end, whatever is deleted."""

    def __init__(self, catalog: Catalog, objects: Objects) -> None:
        self._catalog = catalog
        self._objects = objects

    def link(self, place: Place, identity: Identity, iso_id: str, expires: str) -> Task:
        """Say that a link may lead to an ISO. See ``Engine.link_iso``."""
        iso = self._ready(place, iso_id).iso
        if not iso.extractable:
            raise WrongStateError(
                f"The ISO {iso.name!r} is not extractable, so there is no link to it. "
                "Who may change it can set extractable to true.",
                type="isos",
                id=iso.id,
                extractable=False,
            )
        now = utc_now()
        task = Task(
            id=str(uuid4()),
            kind=LINK_KIND,
            status="SUCCESS",
            created=now,
            ended=now,
            environment_id=place.environment_id,
            subject=iso.id,
            progress=1.0,
            message=f"The ISO {iso.name!r} can be downloaded until {expires}.",
            result={"keyId": identity.key_id, "name": iso.name, "expires": expires},
        )
        with self._catalog.writing() as tx:
            self._catalog.tasks.add(tx, task)
        return task

    def open_iso(self, place: Place, iso_id: str, *, by_link: bool) -> Opened:
        """Open a whole image. See ``Engine.open_iso``."""
        kept = self._ready(place, iso_id)
        if not kept.iso.extractable and (by_link or kept.environment_id != place.environment_id):
            raise ForbiddenError(
                f"The ISO {kept.iso.name!r} is not extractable, so only its own environment can download it.",
                type="isos",
                id=iso_id,
            )
        kept, stored = self._opened(place, kept)
        iso = kept.iso
        if stored.size != iso.size:
            stored.close()
            raise StorageError(
                f"The ISO {iso.name!r} has {iso.size} bytes, and {stored.size} of them are on the disk. "
                "Bring the file back from a backup, or delete the ISO and add it again."
            )
        digest = iso.checksums["sha256"]
        link = partial(self._objects.link, kept.object_id)
        read_at, close, file = stored.read_at, stored.close, stored.file
        return Opened(iso.name, stored.size, digest, iso.created, digest, read_at, close, file, link)

    def open_file(self, place: Place, iso_id: str, path: str) -> Opened:
        """Open a file inside the image."""
        kept, stored = self.open_object(place, iso_id)
        try:
            content = content_of(open_image(stored.read_at, stored.size), path)
        except BaseException:
            stored.close()
            raise
        content.chunks.close()
        tag = f"{kept.iso.checksums['sha256']}-{sha256(path.encode()).hexdigest()[:32]}"
        return Opened(content.name, content.size, tag, kept.iso.created, "", content.read_at, stored.close)

    def open_object(self, place: Place, iso_id: str) -> tuple[Kept, StoredObject]:
        """Open the bytes of an image. Raises NotFoundError, WrongStateError where it is not ready, StorageError."""
        return self._opened(place, self._ready(place, iso_id))

    def _opened(self, place: Place, kept: Kept) -> tuple[Kept, StoredObject]:
        try:
            return kept, self._objects.open(kept.object_id)
        except StorageError:
            # Between the look and the opening it may have been deleted, or have gone over to an equal object.
            again = self._ready(place, kept.iso.id)
            if again.object_id == kept.object_id:
                raise
            return again, self._objects.open(again.object_id)

    def _ready(self, place: Place, iso_id: str) -> Kept:
        kept = self._catalog.iso(place, iso_id)
        if kept is None:
            raise missing(iso_id)
        if not kept.iso.ready:
            raise _not_ready(kept.iso)
        return kept


def missing(iso_id: str) -> NotFoundError:
    """The answer for an ISO that is not there, or not seen from the place."""
    return NotFoundError(f"There is no ISO {iso_id!r} in this environment.", type="isos", id=iso_id)


def _not_ready(iso: Iso) -> WrongStateError:
    return WrongStateError(
        f"The ISO {iso.name!r} is {iso.status}, and its bytes can be had when it is ready.",
        type="isos",
        id=iso.id,
        status=iso.status,
    )
