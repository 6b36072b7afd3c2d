"""An object that comes in piece by piece, each an object of S3: it can be gone on with from any machine."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Lock

from msgspec import Struct

from isobay.errors import ConflictError, IsobayError, MissingObjectError
from isobay.objects.s3_assembling import assemble, give_up_unfinished
from isobay.objects.s3_bucket import Bucket, Stream
from isobay.objects.s3_layout import Keys, Piece
from isobay.objects.s3_reading import Reader

ON_THEIR_WAY = 2  # pieces of one part that S3 takes while the next one comes in; they are in memory until it has them

Held = Callable[[], object]
"""Raises ConflictError where the object is no longer held by who asked for it."""


class _Sending(Struct, frozen=True):
    start: int
    data: bytes
    piece: Future[Piece]


class S3Part:
    """``Part`` as pieces below incoming/. Those that S3 has, in their order, those on their way, and the tail."""

    sync_seconds = 10.0  # each sends the tail once more, and full pieces are on their way without it

    def __init__(
        self,
        bucket: Bucket,
        threads: ThreadPoolExecutor,
        keys: Keys,
        pieces: list[Piece],
        piece_bytes: int,
        held: Held,
    ) -> None:
        self.object_id = keys.object_id
        self._bucket = bucket
        self._threads = threads
        self._keys = keys
        self._piece_bytes = piece_bytes
        self._held = held
        self._pieces = pieces  # the last one may be a copy of how the tail begins
        self._superseded: list[str] = []
        self._sending: deque[_Sending] = deque()
        self._tail = bytearray()
        self._tail_start = self._size = pieces[-1].end if pieces else 0
        self._is_published = self._is_gone = False
        self._reader = Reader(self._stream)
        self._lock = Lock()  # of what is above
        self._marking = Lock()  # between the threads that sync and restart

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    def append(self, data: bytes | memoryview) -> None:
        """Take more at the end. See ``Part.append``. What S3 refused of what came before is raised here too."""
        self._take_up_tail()
        left = memoryview(data)
        while left:
            taken = left[: self._piece_bytes - len(self._tail)]
            with self._lock:
                self._tail += taken
                self._size += len(taken)
            left = left[len(taken) :]
            if len(self._tail) == self._piece_bytes:
                self._send()

    def clone(self, source: int) -> bool:  # noqa: ARG002 -- the seam's
        """Nothing can be shared with a file."""
        return False

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill the buffer with the bytes there. See ``Part.read_into``."""
        data = self.read_at(offset, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read_at(self, offset: int, size: int, /) -> bytes:
        """The bytes there; fewer only at the end."""
        end, found = min(offset + size, self._size), bytearray()
        while offset + len(found) < end:
            found += self._some(offset + len(found), end)
        return bytes(found)

    def sync(self) -> None:
        """Have all in S3 that was appended before the call. See ``Part.sync``."""
        with self._marking:
            self._held()
            with self._lock:
                start, tail = self._tail_start, bytes(self._tail)
            self._settle(start)
            if tail and not (self._pieces and self._pieces[-1].end >= start + len(tail)):
                self._place(self._put(start, tail))
            with self._lock:
                superseded, self._superseded = self._superseded, []
            self._bucket.delete(superseded)

    def restart(self, size: int = 0) -> None:
        """Go back to so many bytes, durably. See ``Part.restart``."""
        with self._marking:
            self._held()
            self._drain()
            kept = [piece for piece in self._pieces if piece.end <= size]
            start = kept[-1].end if kept else 0
            if start < size:
                kept.append(self._put(start, self.read_at(start, size - start)))
            names = {self._keys.begun, *(piece.found.key for piece in kept)}
            after = [found.key for found in self._bucket.list(self._keys.part) if found.key not in names]
            self._bucket.delete(after[::-1])  # from the end: whatever is left if this breaks off is a beginning
            with self._lock:
                self._pieces, self._superseded, self._tail = kept, [], bytearray()
                self._sending.clear()
                self._tail_start = self._size = size
            self._reader.close()

    def publish(self) -> None:
        """Make it an object, whole and durable under its id. See ``Part.publish``."""
        self.sync()
        try:
            assemble(self._bucket, self._keys, self._pieces)
        except MissingObjectError as error:
            self._check_begun()
            raise self._lost() from error
        self._is_published = True
        self._held()
        self._check_begun()  # who deletes takes this away first, and the object last

    def discard(self) -> None:
        """Delete the bytes, published or not."""
        self._drain()
        wipe(self._bucket, self._keys)
        self._is_gone = True

    def leave(self) -> None:
        """Let go of it in good order: what was appended is in S3, and of what was published only the whole."""
        try:
            if self._is_published and not self._is_gone:
                self._bucket.delete([found.key for found in self._bucket.list(self._keys.part)])
            elif not self._is_gone:
                self.sync()
        finally:
            self._let_go()

    def break_off(self) -> None:
        """Let go of it while an exception is on its way: as much as can be of what was appended stays."""
        try:
            if not self._is_published and not self._is_gone:
                with suppress(IsobayError):  # who has to be certain called sync
                    self.sync()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._drain()  # when somebody else may open it, no thread of ours must still send
        self._reader.close()

    def _take_up_tail(self) -> None:
        with self._lock:
            last = self._pieces[-1] if self._pieces else None
            if last is None or last.end - last.start >= self._piece_bytes or self._tail or self._sending:
                return
        with self._marking:
            data = self.read_at(last.start, last.end - last.start)
            with self._lock:
                self._tail, self._tail_start = bytearray(data), last.start

    def _send(self) -> None:
        self._held()
        with self._lock:
            before = self._sending[1 - ON_THEIR_WAY].start if len(self._sending) >= ON_THEIR_WAY else 0
        self._settle(before)
        with self._lock:
            start, data = self._tail_start, bytes(self._tail)
            self._sending.append(_Sending(start, data, self._threads.submit(self._put, start, data)))
            self._tail, self._tail_start = bytearray(), start + len(data)

    def _put(self, start: int, data: bytes) -> Piece:
        end = start + len(data)
        return Piece(start, end, self._bucket.put(self._keys.piece(start, end), data))

    def _settle(self, before: int) -> None:
        """Wait until S3 has all that was sent and begins before an offset. Raises what it refused, again and again."""
        while True:
            with self._lock:
                first = self._sending[0] if self._sending else None
            if first is None or first.start >= before:
                return
            self._place(first.piece.result(), first)

    def _place(self, piece: Piece, sent: _Sending | None = None) -> None:
        with self._lock:
            if sent is not None and self._sending and self._sending[0] is sent:
                self._sending.popleft()
            last = self._pieces[-1] if self._pieces else None
            if last is not None and last.end >= piece.end:
                if last.found.key != piece.found.key:
                    self._superseded.append(piece.found.key)
            elif last is not None and last.start == piece.start:
                self._superseded.append(last.found.key)
                self._pieces[-1] = piece
            else:
                self._pieces.append(piece)

    def _drain(self) -> None:
        wait([sending.piece for sending in self._sending])
        with suppress(IsobayError):
            self._settle(self._size)

    def _some(self, offset: int, end: int) -> bytes:
        with self._lock:
            if offset >= self._tail_start:
                return bytes(self._tail[offset - self._tail_start : end - self._tail_start])
            for sending in self._sending:
                if sending.start <= offset < sending.start + len(sending.data):
                    return sending.data[offset - sending.start : end - sending.start]
            in_memory = self._sending[0].start if self._sending else self._tail_start
        return self._reader.read(offset, min(end, in_memory) - offset, in_memory)

    def _stream(self, offset: int, size: int) -> Stream:
        with self._lock:
            piece = self._pieces[bisect_right(self._pieces, offset, key=lambda each: each.start) - 1]
        start = offset - piece.start
        try:
            return self._bucket.stream(piece.found, start, min(start + size, piece.end - piece.start))
        except MissingObjectError as error:
            raise self._lost() from error

    def _lost(self) -> MissingObjectError:
        # No ISO has these bytes yet, and no backup: whoever sent them has.
        return MissingObjectError(
            f"{self._bucket.shown} lost pieces of image {self.object_id} while it was received. Send the image again, "
            "or import it again.",
            public="The store of images lost bytes of this image while it was received. Send the image again, or "
            "import it again.",
        )

    def _check_begun(self) -> None:
        if self._bucket.find(self._keys.begun) is None:
            self.discard()
            raise ConflictError(
                f"Object {self.object_id} was deleted while its bytes were received.", object_id=self.object_id
            )


def wipe(bucket: Bucket, keys: Keys) -> None:
    """Delete all there is of an object: first what says that it is received, then its bytes, last of all the whole."""
    bucket.delete([keys.begun])
    for prefix in (keys.part, keys.whole):
        give_up_unfinished(bucket, prefix)
    bucket.delete([found.key for found in bucket.list(keys.part)])
    bucket.delete([keys.whole])
