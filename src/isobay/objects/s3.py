"""Objects in S3: see ``s3_layout``.

S3 has no locks: who may work on an object is decided by ``hold``, which must be the same for all that share the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import groupby
from pathlib import Path

from isobay.catalog.unchanged import about_to_wait
from isobay.errors import ConflictError, MissingObjectError, UnavailableError
from isobay.objects.copying import received_file
from isobay.objects.interface import MISSING, Examine, Progress, Received, Stored
from isobay.objects.s3_assembling import give_up_unfinished, take_apart
from isobay.objects.s3_bucket import Bucket
from isobay.objects.s3_failures import NO_FILE
from isobay.objects.s3_layout import INCOMING, WHOLE, Keys, Piece, contiguous, id_of, ids_of
from isobay.objects.s3_owner import claim
from isobay.objects.s3_part import Held, S3Part, wipe
from isobay.objects.s3_place import Place
from isobay.objects.s3_reading import S3Object

SENDING = 8  # threads, of all parts together

Hold = Callable[[str], AbstractContextManager[Held]]
"""Holds an object by its id, against every thread, process and machine, or raises ConflictError at once."""


class S3Objects:
    """The store in a bucket, which belongs to the catalogue with the id ``catalogue``."""

    def __init__(self, place: Place, hold: Hold, catalogue: str) -> None:
        self._bucket = Bucket(place)
        self._bucket.check()
        claim(self._bucket, catalogue)
        self._piece_bytes = place.piece_bytes
        self.gives_links = place.gives_links
        self._hold = hold
        self._threads = ThreadPoolExecutor(SENDING, thread_name_prefix="s3")

    def receive_file(
        self, path: Path, limit: int, progress: Progress, examine: Examine
    ) -> AbstractContextManager[Received]:
        """Take a copy of a local file. See ``Objects.receive_file``."""
        return received_file(self, path, limit, progress, examine)

    @contextmanager
    def resume(self, object_id: str, check: Callable[[], object] = lambda: None) -> Iterator[S3Part]:
        """Open a part to go on with it, or make it. See ``Objects.resume``."""
        keys = Keys.of(object_id)
        with self._hold(object_id) as held:
            check()
            part = S3Part(self._bucket, self._threads, keys, self._opened(keys), self._piece_bytes, held)
            try:
                yield part
            except BaseException:
                part.break_off()
                raise
            part.leave()

    def received(self, object_id: str) -> int:
        """Bytes that came of an object. See ``Objects.received``."""
        keys = Keys.of(object_id)
        whole = self._bucket.find(keys.whole)
        pieces = contiguous(self._bucket.list(keys.part))
        return max(whole.size if whole else 0, pieces[-1].end if pieces else 0)

    def room(self) -> int:
        """No bound."""
        return -1

    def check_room(self, size: int, promised: int = 0) -> None:
        """There is always room."""

    def open(self, object_id: str) -> S3Object:
        """Open an object. See ``Objects.open``."""
        about_to_wait()
        key = Keys.of(object_id).whole
        found = self._bucket.find(key)
        if found is None:
            raise MissingObjectError(
                f"The bytes of this ISO are not in {self._bucket.shown} any more, where they were {key}. "
                "Bring the object back from a backup, or delete the ISO and add it again.",
                public=MISSING,
            )
        return S3Object(self._bucket, found)

    def path(self, object_id: str) -> Path:
        """There is none. Raises UnavailableError."""
        raise UnavailableError(
            f"Image {Keys.of(object_id).object_id} is in {self._bucket.shown}, and guests need images on the disk of "
            "their host. Keep images on the disk (leave ISOBAY_OBJECTS_URL empty) to have instances.",
            public=NO_FILE,
        )

    def link(self, object_id: str, disposition: str, seconds: int) -> str:
        """A signed URL of the object. See ``Objects.link``."""
        if not self.gives_links:
            return ""
        return self._bucket.link(Keys.of(object_id).whole, disposition, seconds)

    def stored(self) -> Iterator[Stored]:
        """Every object and part. See ``Objects.stored``."""
        wholes = {id_of(found.key): found.size for found in self._bucket.list(WHOLE)}
        for object_id, found in groupby(self._bucket.list(INCOMING), lambda each: id_of(each.key)):
            pieces = contiguous(found)
            if object_id and object_id not in wholes:
                yield Stored(object_id, pieces[-1].end if pieces else 0, whole=False)
        for object_id, size in wholes.items():
            if object_id:
                yield Stored(object_id, size, whole=True)

    def delete(self, object_id: str) -> None:
        """Delete an object or a part, if it is there. Raises StorageError where it cannot be."""
        wipe(self._bucket, Keys.of(object_id))

    def sweep(self, is_needed: Callable[[str], bool]) -> int:
        """Delete what a process that died left behind. See ``Objects.sweep``."""
        bucket = self._bucket
        parts, wholes = (ids_of(found.key for found in bucket.list(prefix)) for prefix in (INCOMING, WHOLE))
        unfinished = ids_of(each.key for prefix in (INCOMING, WHOLE) for each in bucket.unfinished(prefix))
        # A needed object wants no pieces; who died after the row was written left them.
        halves = (parts & wholes) | unfinished
        return sum(
            self._delete_unless_held(Keys.of(object_id), is_needed)
            for object_id in parts | wholes | unfinished
            if object_id in halves or not is_needed(object_id)
        )

    def _delete_unless_held(self, keys: Keys, is_needed: Callable[[str], bool]) -> bool:
        try:
            with self._hold(keys.object_id):
                # Asked again: while it was held, its ISO may have come into the catalogue.
                needed = is_needed(keys.object_id)
                if not needed:
                    wipe(self._bucket, keys)
                    return True
                if self._bucket.find(keys.whole) is not None:
                    self._bucket.delete([found.key for found in self._bucket.list(keys.part)])
                for prefix in (keys.part, keys.whole):
                    give_up_unfinished(self._bucket, prefix)
        except ConflictError:
            pass
        return False

    def _opened(self, keys: Keys) -> list[Piece]:
        """The pieces of a part, whose object, if it was one already, is none afterwards."""
        whole = self._bucket.find(keys.whole)
        found = list(self._bucket.list(keys.part))
        pieces = contiguous(found)
        if whole is not None and (not pieces or pieces[-1].end < whole.size):
            pieces = take_apart(self._bucket, keys, whole, self._piece_bytes)
        if all(each.key != keys.begun for each in found):
            self._bucket.put(keys.begun, b"")
        if whole is not None:
            self._bucket.delete([keys.whole])
        return pieces
