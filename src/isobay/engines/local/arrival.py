"""What is done with an image while it arrives: hashed, unpacked and looked at, beside the thread that fetches it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from msgspec import Struct

from isobay.engines.local.incoming import Incoming, RestartedError
from isobay.engines.local.looking import Looking
from isobay.errors import FetchError, ImageError
from isobay.objects import Part
from isobay.transfer.unpacking import Unpacker, unpacker_for

PIECE = 1 << 20
MAGIC = 32


class Hashes:
    """Digests by several algorithms at once."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        # Not for secrets, and MD5 only beside SHA-256, because publishers still name it.
        self._all = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}

    def update(self, data: memoryview | bytes) -> None:
        """Take more bytes."""
        for each in self._all.values():
            each.update(data)

    def hex(self) -> dict[str, str]:
        """The digests in hex, by algorithm."""
        return {name: each.hexdigest() for name, each in self._all.items()}


class Arrived(Struct, frozen=True):
    """What came: the part that holds the image, its digests, and those of what was fetched."""

    image: Part
    digests: dict[str, str]
    fetched: dict[str, str]


class Arrival:
    """Follows what comes in, to its end."""

    def __init__(
        self,
        incoming: Incoming,
        part: Part,
        new_part: Callable[[], Part],
        algorithms: frozenset[str],
        looking: Looking,
        limit: int,
    ) -> None:
        self._incoming = incoming
        self._part = part
        self._new_part = new_part
        self._algorithms = algorithms
        self._looking = looking
        self._limit = limit
        self._unpacked: Part | None = None
        self.total = -1

    def run(self) -> Arrived:
        """Follow until all is there. Raises ImageError for what is no ISO, HaltedError, StorageError."""
        while True:
            current = self._incoming.round
            self._looking.begin()
            try:
                return self._follow(current)
            except RestartedError:
                continue

    def _follow(self, current: int) -> Arrived:
        have, is_whole = self._incoming.wait_beyond(0, current)
        while have < MAGIC and not is_whole:
            have, is_whole = self._incoming.wait_beyond(have, current)
        unpacker = unpacker_for(self._incoming.read_at(0, MAGIC))
        if unpacker is None:
            return self._follow_plain(current)
        return self._follow_packed(current, unpacker)

    def _follow_plain(self, current: int) -> Arrived:
        hashes = Hashes(self._algorithms)
        done = 0
        for piece in self._pieces(current):
            hashes.update(piece)
            done += len(piece)
            self._look(self._part, done, self.total, current)
        return Arrived(self._part, hashes.hex(), {})

    def _follow_packed(self, current: int, unpacker: Unpacker) -> Arrived:
        fetched, hashes = Hashes(self._algorithms), Hashes(self._algorithms)
        if self._unpacked is None:
            self._unpacked = self._new_part()
        image = self._unpacked
        image.restart()
        for piece in self._pieces(current):
            fetched.update(piece)
            for unpacked in unpacker.feed(bytes(piece)):
                if image.size + len(unpacked) > self._limit:
                    raise FetchError(
                        f"The image is larger than {self._limit} bytes when it is unpacked. "
                        "Raise ISOBAY_MAX_ISO_BYTES to take it.",
                        reason="too-large",
                        limit=self._limit,
                    )
                image.append(unpacked)
                hashes.update(unpacked)
                self._look(image, image.size, -1, current)
        unpacker.finish()
        return Arrived(image, hashes.hex(), fetched.hex())

    def _pieces(self, current: int) -> Iterable[memoryview]:
        """What is there and what comes, in pieces that are only good until the next one."""
        buffer = memoryview(bytearray(PIECE))
        done, have, is_whole = 0, 0, False
        while True:
            if done >= have:
                if is_whole:
                    return
                have, is_whole = self._incoming.wait_beyond(done, current)
                continue
            piece = self._incoming.piece(done, buffer[: min(PIECE, have - done)])
            self._incoming.check(current)  # what was read may be of another file by now
            yield piece
            done += len(piece)

    def _look(self, image: Part, have: int, total: int, current: int) -> None:
        try:
            self._looking.at(image.read_at, have, total)
        except ImageError:
            self._incoming.check(current)  # bytes that went away under the look are no fault of the image
            raise
