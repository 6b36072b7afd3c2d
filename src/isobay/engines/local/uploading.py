"""Uploads: begun, asked about, gone on with, and stopped."""

from __future__ import annotations

from uuid import uuid4

from isobay.catalog import Place
from isobay.catalog import Upload as UploadRow
from isobay.catalog.isos import Kept
from isobay.engines.local.describing import name_of_file
from isobay.engines.local.new_isos import new_iso
from isobay.engines.local.upload_following import Followed
from isobay.engines.local.upload_receiving import Receiving
from isobay.engines.local.upload_record import Asked, UploadTools, no_upload, told
from isobay.errors import TooLargeError, WrongStateError
from isobay.model import NewUpload, Upload
from isobay.transfer.checksums import Checksum, parse_checksum


class Uploads:
    """Takes images that callers send. An upload is an ISO that is ``uploading``, and both have one id."""

    def __init__(self, tools: UploadTools) -> None:
        self._tools = tools
        self._followed = Followed()

    def start(self, place: Place, wanted: NewUpload, length: int) -> Upload:
        """Put an ISO on the shelf whose ``length`` bytes are still to come; -1 where only their end will tell.

        Raises InvalidFieldsError, TooLargeError, QuotaError, StorageError.
        """
        tools, catalog = self._tools, self._tools.catalog
        name = wanted.name or name_of_file(wanted.filename)
        if length > tools.limit:
            raise TooLargeError(
                f"The image has {length} bytes, and the limit is {tools.limit}. Raise ISOBAY_MAX_ISO_BYTES to take it.",
                limit=tools.limit,
            )
        checksum = str(parse_checksum(wanted.checksum)) if wanted.checksum else ""
        with catalog.writing() as tx:
            tools.quota.check_new(catalog, tx, place.environment_id)
            tools.quota.check_bytes(catalog, tx, place.environment_id, max(length, 1), 0)
            tools.objects.check_room(max(length, 0))  # after the quota, which says more and is the caller's own
            iso = new_iso(
                name,
                catalog.connections.zones(tx, place.connection_id),
                public=wanted.available_publicly,
                description=wanted.description,
                size=max(length, 0),
                extractable=wanted.extractable,
                status="uploading",
            )
            row = UploadRow(iso.id, length, Asked(checksum).written(), tools.expires())
            catalog.isos.add(tx, place, iso, str(uuid4()))
            catalog.uploads.add(tx, row)
        # The store is not asked: where it does not answer, nobody would be told of what is committed already.
        return Upload(
            id=iso.id, name=name, status=iso.status, offset=0, length=length, checksum=checksum, expires=row.expires
        )

    def get(self, place: Place, upload_id: str) -> Upload:
        """How far an upload of the place's environment is. Raises NotFoundError."""
        return told(self._tools, *self._found(place, upload_id))

    def receive(self, place: Place, upload_id: str, offset: int, proof: Checksum | None) -> Receiving:
        """Take bytes from ``offset`` on. See ``Engine.receive_upload``."""
        kept, _ = self._found(place, upload_id)
        receiving = Receiving(self._tools, self._followed, upload_id, proof)
        receiving.begin(kept.object_id, offset)
        return receiving

    def check_open(self, place: Place, upload_id: str) -> None:
        """Raise NotFoundError for no upload, WrongStateError for one of which all is there."""
        kept, _ = self._found(place, upload_id)
        if kept.iso.status != "uploading":
            raise WrongStateError(
                f"All of the ISO {kept.iso.name!r} is here. Delete it as an ISO.",
                type="isos",
                id=upload_id,
                status=kept.iso.status,
            )

    def _found(self, place: Place, upload_id: str) -> tuple[Kept, UploadRow]:
        catalog = self._tools.catalog
        with catalog.reading() as tx:
            # As it is seen from here: another environment's costs no more time than one that nobody has.
            kept = catalog.isos.get(tx, place, upload_id)
            row = catalog.uploads.get(tx, upload_id) if kept else None
        if kept is None or row is None or kept.environment_id != place.environment_id:
            raise no_upload(upload_id)
        return kept, row
