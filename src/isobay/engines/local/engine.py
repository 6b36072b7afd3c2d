"""The local engine: answers for environments whose ISOs lie on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import UNSET

from isobay.catalog import Catalog, Place, Transaction
from isobay.catalog.instances import IsoUse
from isobay.catalog.isos import Kept
from isobay.clock import utc_now
from isobay.engines.instances import Instances
from isobay.engines.local.downloading import Downloads, missing
from isobay.engines.local.importing import Imports
from isobay.engines.local.os_types import OsTypes
from isobay.engines.local.proving import Proving
from isobay.engines.local.quota import Quota
from isobay.engines.local.upload_receiving import Receiving
from isobay.engines.local.uploading import Uploads
from isobay.engines.opened import Opened
from isobay.errors import (
    CancelledError,
    ForbiddenError,
    InUseError,
    InvalidFieldsError,
    QuotaError,
    StorageError,
    UnavailableError,
    WrongStateError,
)
from isobay.image import open_image
from isobay.inspection.contents import files_of
from isobay.inspection.diagnosis import Diagnosis
from isobay.inspection.doctor import Doctor
from isobay.model import (
    Identity,
    Iso,
    IsoEdit,
    IsoFile,
    IsoRecord,
    Listing,
    NewIso,
    NewUpload,
    OsType,
    Page,
    Task,
    Upload,
    Zone,
)
from isobay.objects import Objects
from isobay.telemetry import logs
from isobay.transfer.checksums import Checksum

MOST_NAMED = 20


class LocalEngine:
    """``Engine`` over the catalogue and the objects on disk."""

    def __init__(
        self,
        catalog: Catalog,
        objects: Objects,
        os_types: OsTypes,
        imports: Imports,
        uploads: Uploads,
        quota: Quota,
        doctor: Doctor,
        instances: Instances,
        proving: Proving,
    ) -> None:
        self.instances = instances
        self._catalog = catalog
        self._objects = objects
        self._downloads = Downloads(catalog, objects)
        self._os_types = os_types
        self._imports = imports
        self._uploads = uploads
        self._quota = quota
        self._doctor = doctor
        self._proving = proving

    def zones(self, place: Place) -> list[Zone]:
        """The zones of the place's connection."""
        with self._catalog.reading() as tx:
            return self._catalog.connections.zones(tx, place.connection_id)

    def os_types(self, place: Place) -> list[OsType]:  # noqa: ARG002 -- the same everywhere on this machine
        """The rules' operating systems and the generic ones."""
        return self._os_types.all()

    def list_isos(self, place: Place, listing: Listing) -> Page[IsoRecord]:
        """One page of the ISOs seen from the place."""
        return self._catalog.page(place, listing)

    def stream_isos(self, place: Place, listing: Listing) -> Iterator[list[IsoRecord]]:
        """All ISOs seen from the place."""
        with self._catalog.reading() as tx:
            yield from self._catalog.isos.stream(tx, place, listing)

    def get_iso(self, place: Place, iso_id: str) -> Iso:
        """One ISO seen from the place."""
        kept = self._kept(place, iso_id)
        if kept.iso.visibility != "shared" or kept.environment_id != place.environment_id:
            return kept.iso
        with self._catalog.reading() as tx:
            return self._as_owner(tx, place, kept.iso)

    def edit_iso(self, place: Place, iso_id: str, edit: IsoEdit, shared_with: Sequence[str] = ()) -> Iso:
        """Change an ISO of the place's own environment."""
        changed = self._changed(edit)
        with self._catalog.writing() as tx:
            kept = self._catalog.isos.get(tx, place, iso_id)
            iso = _own(place, kept, iso_id).iso
            _check_readable(iso, changed)
            iso = msgspec.structs.replace(iso, **changed, updated=utc_now())
            scope = self._catalog.sharing.scope(tx, place.environment_id, shared_with) if shared_with else None
            self._catalog.isos.replace(tx, place, iso, shared_scope=scope)
            return self._as_owner(tx, place, iso)

    def import_iso(self, place: Place, wanted: NewIso) -> tuple[Iso, Task]:
        """Import an ISO from a URL. See ``Imports.start``."""
        return self._imports.start(place, wanted)

    def retry_iso(self, place: Place, iso_id: str) -> tuple[Iso, Task]:
        """Let a failed import of the place's own environment go on."""
        with self._catalog.writing() as tx:
            kept = _own(place, self._catalog.isos.get(tx, place, iso_id), iso_id)
            iso, task = self._imports.retry(tx, place, kept)
            is_left = not self._catalog.isos.needs(tx, kept.object_id)
        self._imports.send(task)
        if is_left:
            self._delete(kept.object_id)
        return iso, task

    def start_upload(self, place: Place, wanted: NewUpload, length: int) -> Upload:
        """Put an ISO on the shelf that is still to be sent. See ``Uploads.start``."""
        return self._uploads.start(place, wanted, length)

    def get_upload(self, place: Place, upload_id: str) -> Upload:
        """How far an upload is."""
        return self._uploads.get(place, upload_id)

    def receive_upload(self, place: Place, upload_id: str, offset: int, proof: Checksum | None = None) -> Receiving:
        """Take bytes of an upload."""
        return self._uploads.receive(place, upload_id, offset, proof)

    def delete_upload(self, place: Place, identity: Identity, upload_id: str) -> Task:
        """Stop an upload."""
        self._uploads.check_open(place, upload_id)
        return self.delete_iso(place, identity, upload_id)

    def inspect_url(self, place: Place, url: str, checksum_url: str = "") -> Diagnosis:
        """Say what importing a URL into the place would meet. See ``Doctor.examine``."""
        full = ""
        with self._catalog.reading() as tx:
            left = self._quota.left(self._catalog, tx, place.environment_id)
            try:
                self._quota.check_new(self._catalog, tx, place.environment_id)
            except QuotaError as error:
                full = error.message
        room = self._objects.room()
        return self._doctor.examine(url, checksum_url=checksum_url, room=room, quota_left=left, full=full)

    def prove_iso(self, place: Place, iso_id: str) -> tuple[Iso, Task]:
        """Boot an ISO to see what it shows. See ``Proving.start``."""
        return self._proving.start(place, iso_id)

    def iso_picture(self, place: Place, iso_id: str) -> bytes:
        """What an ISO showed when it was booted."""
        return self._proving.picture(place, iso_id)

    def delete_iso(self, place: Place, identity: Identity, iso_id: str) -> Task:  # noqa: ARG002 -- the seam's
        """Delete an ISO of the place's own environment. The row goes first: a sweep finds bytes, never a row."""
        now = utc_now()
        with self._catalog.writing() as tx:
            kept = _own(place, self._catalog.isos.get(tx, place, iso_id), iso_id)
            task = Task(
                id=str(uuid4()),
                kind="iso.delete",
                status="SUCCESS",
                created=now,
                ended=now,
                environment_id=place.environment_id,
                progress=1.0,
                message=f"The ISO {kept.iso.name!r} is deleted.",
                bytes_done=kept.iso.size,
                bytes_total=kept.iso.size,
                result={"id": iso_id, "name": kept.iso.name},
            )
            _check_unused(place, kept.iso, self._catalog.instances.users(tx, iso_id))
            gone = CancelledError(f"The ISO {kept.iso.name!r} was deleted meanwhile.", type="isos", id=iso_id)
            self._catalog.tasks.end_all_of(tx, iso_id, gone.message, gone.told())
            self._catalog.isos.delete(tx, iso_id)
            is_last = not self._catalog.isos.needs(tx, kept.object_id)
            self._catalog.tasks.add(tx, task)
        if is_last:
            self._delete(kept.object_id)
        return task

    def iso_files(self, place: Place, iso_id: str, path: str, limit: int) -> list[IsoFile]:
        """What a directory inside the image holds."""
        _, stored = self._downloads.open_object(place, iso_id)
        try:
            return files_of(open_image(stored.read_at, stored.size), path, limit)
        finally:
            stored.close()

    def open_file(self, place: Place, iso_id: str, path: str) -> Opened:
        """Open a file inside the image; its bytes are read while they are drawn."""
        return self._downloads.open_file(place, iso_id, path)

    def open_iso(self, place: Place, iso_id: str, *, by_link: bool = False) -> Opened:
        """Open a whole image."""
        return self._downloads.open_iso(place, iso_id, by_link=by_link)

    def link_iso(self, place: Place, identity: Identity, iso_id: str, expires: str) -> Task:
        """Let a link lead to an ISO until then."""
        return self._downloads.link(place, identity, iso_id, expires)

    def reachable(self) -> bool:
        """Whether the catalogue answers."""
        return self._catalog.answers()

    def _delete(self, object_id: str) -> None:
        try:
            self._objects.delete(object_id)
        except (StorageError, UnavailableError) as error:
            # The rows are changed all the same, and the next start sweeps what they left.
            logs.error("bytes are left over", reason=error.message)

    def _kept(self, place: Place, iso_id: str) -> Kept:
        kept = self._catalog.iso(place, iso_id)
        if kept is None:
            raise missing(iso_id)
        return kept

    def _as_owner(self, tx: Transaction, place: Place, iso: Iso) -> Iso:
        # Whom it is shared with is for the owner alone, and so it is not in the record that all read.
        if iso.visibility != "shared":
            return iso
        names = self._catalog.sharing.names(tx, iso.id, place.environment_id)
        return msgspec.structs.replace(iso, shared_with=names)

    def _changed(self, edit: IsoEdit) -> dict[str, Any]:
        changed = {name: value for name, value in msgspec.structs.asdict(edit).items() if value is not UNSET}
        public = changed.get("available_publicly")
        visibility = changed.get("visibility")
        if bool(changed.pop("shared_with", ())) != (visibility == "shared"):
            raise InvalidFieldsError({"sharedWith": "is given with the visibility shared, and only with that"})
        if public is not None and visibility is not None:
            raise InvalidFieldsError({"visibility": "says the same as availablePublicly; give one of the two"})
        if public is not None:
            changed["visibility"] = "public" if public else "private"
        elif visibility is not None:
            changed["available_publicly"] = visibility == "public"
        if "os_type_id" in changed:
            os_type = self._os_types.require(changed["os_type_id"])
            changed["os_type_name"] = os_type.name
        return changed


def _own(place: Place, kept: Kept | None, iso_id: str) -> Kept:
    if kept is None:
        raise missing(iso_id)
    if kept.environment_id != place.environment_id:
        raise ForbiddenError(
            f"The ISO {kept.iso.name!r} is {kept.iso.visibility} and belongs to another environment. "
            "It can be used here, not changed.",
            type="isos",
            id=iso_id,
        )
    return kept


def _check_unused(place: Place, iso: Iso, uses: Sequence[IsoUse]) -> None:
    """Raise InUseError where an instance uses an ISO. What others call theirs is not for this environment."""
    if not uses:
        return
    own = [use for use in uses if use.environment_id == place.environment_id]
    named = [f"the instance {use.name!r} ({use.instance_id})" for use in own[:MOST_NAMED]]
    if len(own) > MOST_NAMED:
        named.append(f"{len(own) - MOST_NAMED} more")
    if len(own) < len(uses):
        named.append("an instance of another environment")
    raise InUseError(
        f"The ISO {iso.name!r} is used by {', '.join(named)}. Detach it there, or purge what uses it.",
        type="isos",
        id=iso.id,
        instances=[{"id": use.instance_id, "name": use.name} for use in own[:MOST_NAMED]],
    )


def _check_readable(iso: Iso, changed: dict[str, Any]) -> None:
    if iso.status in {"importing", "uploading"} and changed.keys() & {"bootable", "os_type_id"}:
        raise WrongStateError(
            f"The ISO {iso.name!r} is still arriving, and its OS type and whether it boots are read from it. "
            "Change them when it is ready.",
            type="isos",
            id=iso.id,
            status=iso.status,
        )
