"""What a worker does for uploads that nobody sends to: it ends those that are whole, and deletes those that expired.

It also has equal images kept once: who sent or imported one has the answer then, and cannot tell from its time.
"""

from __future__ import annotations

import logging
from threading import Event

from isobay.clock import utc_now
from isobay.engines.local.arrival_record import ArrivalRecord
from isobay.engines.local.sharing import Sharing
from isobay.engines.local.upload_following import Following
from isobay.engines.local.upload_receiving import refuse
from isobay.engines.local.upload_record import PROVEN, UploadTools, read_asked
from isobay.errors import ConflictError, IsobayError, UnavailableError
from isobay.objects import Part
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
            whole = catalog.uploads.whole(tx)
        for upload_id in expired:
            self._expire(upload_id)
        for upload_id in whole:
            self._end(upload_id)
        Sharing(catalog, self._tools.objects).settle_new()

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

    def _end(self, upload_id: str) -> None:
        """End an upload whose process died, or lost its database, between the last byte and the row."""
        tools = self._tools
        with tools.catalog.reading() as tx:
            kept = tools.catalog.isos.by_id(tx, upload_id)
        if kept is None:
            return
        try:
            with tools.objects.resume(kept.object_id, lambda: self._check(upload_id)) as part:
                self._finish(upload_id, part)
        except (ConflictError, LostError):
            return  # somebody has it in hand, or ended it, or it was deleted

    def _finish(self, upload_id: str, part: Part) -> None:
        catalog = self._tools.catalog
        with catalog.reading() as tx:
            row = catalog.uploads.get(tx, upload_id)
        if row is None:
            raise LostError
        asked = read_asked(row.request)
        if asked.unproven != PROVEN or part.size != row.length:  # who noted that it is whole died before it was
            with catalog.writing() as tx:
                catalog.uploads.note(tx, upload_id, row.request, whole=False)
            return
        record = ArrivalRecord(catalog, self._tools.quota, upload_id)
        try:
            Following(self._tools, asked).finish(record, part)
        except UnavailableError:
            raise
        except IsobayError as error:
            # Nobody waits for the answer any more: the ISO itself says why.
            if error.public != error.message:
                logs.error("upload failed", upload=upload_id, reason=error.message)
            with catalog.writing() as tx:
                record.failed(tx, error, 0)
                catalog.uploads.forget(tx, upload_id)
            part.discard()

    def _check(self, upload_id: str, now: str = "") -> None:
        catalog = self._tools.catalog
        with catalog.reading() as tx:
            kept, row = catalog.isos.by_id(tx, upload_id), catalog.uploads.get(tx, upload_id)
        if kept is None or row is None or kept.iso.status != "uploading" or (now and row.expires > now):
            raise LostError
