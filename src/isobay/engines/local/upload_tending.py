"""What a worker does for uploads that nobody sends to: it ends those that are whole, and deletes those that expired."""

from __future__ import annotations

import logging
from threading import Event

from isobay.catalog import Upload as UploadRow
from isobay.clock import utc_now
from isobay.engines.local.arrival_record import ArrivalRecord
from isobay.engines.local.sharing import Sharing
from isobay.engines.local.upload_following import Following
from isobay.engines.local.upload_receiving import refuse
from isobay.engines.local.upload_record import PROVEN, UploadTools, read_asked
from isobay.errors import ConflictError, IsobayError, UnavailableError
from isobay.tasks import LostError
from isobay.telemetry import logs

LOOK_SECONDS = 5.0
AT_ONCE = 100


class Tending:
    """Looks after the uploads. Any number of processes may, at the same time: who holds an upload's part is alone."""

    def __init__(self, tools: UploadTools) -> None:
        self._tools = tools

    def run(self, stop: Event) -> None:
        """Look every few seconds until ``stop`` is set."""
        while not stop.wait(LOOK_SECONDS):
            try:
                self.tend()
            except IsobayError as error:
                logs.error("uploads cannot be looked after", reason=error.message)

    def tend(self) -> None:
        """Look once."""
        catalog = self._tools.catalog
        with catalog.reading() as tx:
            expired = catalog.uploads.expired(tx, utc_now(), AT_ONCE)
            open_ = catalog.uploads.open(tx)
        for upload_id in expired:
            self._expire(upload_id)
        for row in open_:
            self._end(row)

    def _expire(self, upload_id: str) -> None:
        catalog = self._tools.catalog
        with catalog.writing() as tx:
            kept = catalog.isos.by_id(tx, upload_id)
            if kept is None or kept.iso.status != "uploading":
                catalog.uploads.forget(tx, upload_id)
                return
        try:
            with self._tools.objects.resume(kept.object_id, lambda: self._check(upload_id, utc_now())) as part:
                refuse(self._tools, upload_id, part)
        except (ConflictError, LostError):
            return  # somebody goes on with it, or did
        logs.write(logging.INFO, "upload expired", upload=upload_id, bytes=part.size)

    def _end(self, row: UploadRow) -> None:
        """End an upload whose process died, or lost its database, between the last byte and the row."""
        tools, asked = self._tools, read_asked(row.request)
        with tools.catalog.reading() as tx:
            kept = tools.catalog.isos.by_id(tx, row.iso_id)
        if kept is None or asked.unproven != PROVEN or tools.objects.received(kept.object_id) != row.length:
            return
        record = ArrivalRecord(tools.catalog, tools.quota, row.iso_id)
        try:
            with tools.objects.resume(kept.object_id, lambda: self._check(row.iso_id)) as part:
                try:
                    Following(tools, asked).finish(record, part)
                except UnavailableError:
                    raise
                except IsobayError as error:
                    # Nobody waits for the answer any more: the ISO itself says why.
                    if error.public != error.message:
                        logs.error("upload failed", upload=row.iso_id, reason=error.message)
                    with tools.catalog.writing() as tx:
                        record.failed(tx, error, 0)
                        tools.catalog.uploads.forget(tx, row.iso_id)
                    part.discard()
        except (ConflictError, LostError):
            return  # somebody else ends it, or it was deleted
        Sharing(tools.catalog, tools.objects).settle(row.iso_id)

    def _check(self, upload_id: str, now: str = "") -> None:
        catalog = self._tools.catalog
        with catalog.reading() as tx:
            kept, row = catalog.isos.by_id(tx, upload_id), catalog.uploads.get(tx, upload_id)
        if kept is None or row is None or kept.iso.status != "uploading" or (now and row.expires > now):
            raise LostError
