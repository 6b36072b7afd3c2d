"""What one request brings of an upload."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Lock
from time import monotonic

import msgspec

from isobay.catalog import Upload as UploadRow
from isobay.catalog.isos import Kept
from isobay.engines.local.arrival import Hashes
from isobay.engines.local.arrival_record import ArrivalRecord
from isobay.engines.local.upload_following import Followed, Following
from isobay.engines.local.upload_record import PROVEN, UploadTools, no_upload, read_asked, told
from isobay.errors import (
    ChecksumError,
    ConflictError,
    ImageError,
    IsobayError,
    LockedError,
    PieceError,
    TooLargeError,
    WrongStateError,
)
from isobay.model import Upload
from isobay.objects import Part
from isobay.tasks import LostError
from isobay.telemetry import logs
from isobay.transfer.checksums import Checksum

REPORT_SECONDS = 1.0
SYNC_BYTES = 64 << 20


class Receiving:
    """Takes the bytes of one request into an upload that it holds: nobody else writes to it meanwhile.

    Its methods may be called by any thread; ``leave`` is called at the end, whatever happened. What came
    stays then, unless the request has a checksum of its own that was not proved.
    """

    def __init__(self, tools: UploadTools, followed: Followed, upload_id: str, proof: Checksum | None) -> None:
        self._tools = tools
        self._followed = followed
        self._id = upload_id
        self._proof = proof
        self._proving = Hashes([proof.algorithm] if proof else [])
        self._record = ArrivalRecord(tools.catalog, tools.quota, upload_id)
        self._lock = Lock()
        self._stack = ExitStack()
        self._syncing: Future[None] | None = None
        self._told_at = 0.0
        self._is_over = False

    def begin(self, object_id: str, offset: int) -> None:
        """Hold the upload, to go on at ``offset``.

        Raises LockedError while somebody else writes to it, ConflictError where it goes on elsewhere.
        """
        with ExitStack() as stack:
            try:
                self._part: Part = stack.enter_context(self._tools.objects.resume(object_id, self._check))
            except ConflictError as error:
                raise LockedError(
                    "Somebody else sends bytes of this upload now. Wait until that has ended, and ask where to go on.",
                    type="uploads",
                    id=self._id,
                ) from error
            _, row = self._rows()
            self._asked, self._length, self._whole = read_asked(row.request), row.length, row.whole
            if self._asked.unproven != PROVEN:
                self._part.restart(min(self._asked.unproven, self._part.size))
            self._start = self._synced = self._part.size
            if offset != self._start:
                raise ConflictError(
                    f"{self._start} bytes of this upload are here, so it goes on there, and not at {offset}.",
                    offset=self._start,
                )
            self._note(self._start if self._proof else PROVEN, self._start == self._length)
            self._following = self._followed.pop(self._id, self._start) or Following(self._tools, self._asked)
            self._threads = stack.enter_context(ThreadPoolExecutor(1))
            self._stack = stack.pop_all()

    def take(self, data: bytes) -> None:
        """Take the next bytes. Raises ImageError, with the upload gone, as soon as it is seen to be no ISO."""
        with self._lock:
            size = self._part.size
            most = self._tools.limit if self._length < 0 else self._length
            if size + len(data) > most:
                self._part.restart(self._start)
                self._following = Following(self._tools, self._asked)
                raise self._too_long(most)
            if size + len(data) == self._length:
                self._note(self._asked.unproven, whole=True)  # first: a worker looks at no other upload
            self._part.append(data)
            if self._following.hashed == size:
                self._following.hash(data)
            if self._proof:
                self._proving.update(data)  # a byte that was changed on its way must not condemn the image
            else:
                self._look()
            self._sync_beside()
            if monotonic() - self._told_at >= REPORT_SECONDS:
                self._tell()

    def end(self) -> Upload:
        """The request came to its end: what is there now counts, and where that is all of it, the ISO is ready.

        Raises PieceError where the request's own checksum is not its bytes', ChecksumError where the
        image's is not, and then the upload is gone.
        """
        with self._lock:
            self._prove()
            self._look()
            if self._length in (-1, self._part.size):
                self._finish()
            else:
                self._put_down()
            self._close()
        return told(self._tools, *self._rows())

    def leave(self) -> None:
        """Let go of the upload."""
        with self._lock:
            if self._is_over:
                return
            try:
                if self._proof:
                    self._part.restart(self._start)
                    self._note(PROVEN, self._start == self._length)
                else:
                    self._put_down()
            except IsobayError as error:
                logs.error("upload put down in disorder", upload=self._id, reason=error.message)
            finally:
                self._close()

    def _check(self) -> None:
        kept, row = self._rows()
        if kept.iso.status != "uploading":
            raise WrongStateError(
                f"The upload is complete: all of the ISO {kept.iso.name!r} is here, and nothing more is taken.",
                type="isos",
                id=kept.iso.id,
                status=kept.iso.status,
                offset=told(self._tools, kept, row).offset,
            )

    def _rows(self) -> tuple[Kept, UploadRow]:
        with self._tools.catalog.reading() as tx:
            kept, row = self._tools.catalog.isos.by_id(tx, self._id), self._tools.catalog.uploads.get(tx, self._id)
        if kept is None or row is None:
            raise no_upload(self._id)
        return kept, row

    def _note(self, unproven: int, whole: bool) -> None:
        if (self._asked.unproven, self._whole) != (unproven, whole):
            self._asked, self._whole = msgspec.structs.replace(self._asked, unproven=unproven), whole
            with self._tools.catalog.writing() as tx:
                self._tools.catalog.uploads.note(tx, self._id, self._asked.written(), whole=whole)

    def _too_long(self, most: int) -> TooLargeError:
        if self._length < 0:
            return TooLargeError(
                f"The image is larger than {most} bytes. Raise ISOBAY_MAX_ISO_BYTES to take it.", limit=most
            )
        return TooLargeError(
            f"The upload was begun for {most} bytes, and more came. Nothing of this request was kept.", limit=most
        )

    def _look(self) -> None:
        try:
            self._following.look(self._part, self._length)
        except ImageError:
            self._refuse()
            raise

    def _prove(self) -> None:
        if self._proof is None:
            return
        if not self._proof.matches(self._proving.hex()[self._proof.algorithm]):
            raise PieceError(
                f"The {self._proof.algorithm} of these bytes is not the one in Upload-Checksum: they were damaged on "
                "their way, and none of them was kept. Send them again.",
                offset=self._start,
            )
        self._note(PROVEN, self._whole)
        self._proof = None

    def _sync_beside(self) -> None:
        """Have the disk write while more comes, so that little is left to wait for at the end."""
        if self._part.size - self._synced >= SYNC_BYTES:
            self._wait_for_sync()
            self._synced = self._part.size
            self._syncing = self._threads.submit(self._part.sync)

    def _wait_for_sync(self) -> None:
        syncing, self._syncing = self._syncing, None
        if syncing:
            syncing.result()

    def _tell(self) -> None:
        self._told_at = monotonic()
        size, catalog = self._part.size, self._tools.catalog
        try:
            with catalog.writing() as tx:
                progress = min(size / self._length, 1.0) if self._length > 0 else 0.0
                self._record.arriving(tx, progress, "", self._following.fields, size)
                catalog.uploads.postpone(tx, self._id, self._tools.expires())
        except LostError as error:
            raise no_upload(self._id) from error

    def _put_down(self) -> None:
        self._wait_for_sync()
        self._part.sync()
        self._note(self._asked.unproven, self._part.size == self._length)
        self._tell()
        self._followed.put(self._id, self._following)

    def _finish(self) -> None:
        self._wait_for_sync()
        try:
            self._following.finish(self._record, self._part)
        except (ImageError, ChecksumError):
            self._refuse()
            raise
        except (LostError, ConflictError) as error:  # deleted meanwhile
            raise no_upload(self._id) from error

    def _refuse(self) -> None:
        refuse(self._tools, self._id, self._part)
        self._close()

    def _close(self) -> None:
        self._is_over = True
        self._stack.close()


def refuse(tools: UploadTools, upload_id: str, part: Part) -> None:
    """Let an upload be as if it had never been. The row goes first: a sweep finds bytes, never a row."""
    with tools.catalog.writing() as tx:
        if tools.catalog.isos.by_id(tx, upload_id) is not None:
            tools.catalog.isos.delete(tx, upload_id)
    part.discard()
