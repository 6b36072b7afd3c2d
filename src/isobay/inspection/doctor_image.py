"""What an image is, by as little of it as can be fetched."""

from __future__ import annotations

from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from isobay.errors import FetchError, ImageError
from isobay.image import Image, ReadAt, open_image
from isobay.inspection.report import Report, report_on
from isobay.osdetect import Rules
from isobay.transfer.remote import RemoteFile
from isobay.transfer.unpacking import Unpacker, unpacker_for

UNPACKED = 4 << 20  # zeros pack well: a bound on what the first bytes may become
_OUT_OF_REACH = frozenset({"budget", "no-range"})
_INCOMPLETE = frozenset({"beyond-end", "truncated", "too-short"})


class Sight(Struct, frozen=True):
    """What is seen from afar: no report where too little was fetched for one.

    ``is_whole`` says that nothing was left out of it; ``packing`` is gzip, bzip2, xz, zstd or empty.
    """

    report: Report | None
    is_whole: bool
    packing: str


def look(remote: RemoteFile, rules: Rules) -> Sight:
    """Read what can be read of an image, or of an image that is packed.

    Raises ImageError for what is surely none, FetchError where the server fails.
    """
    unpacker = unpacker_for(remote.head)
    if unpacker is None:
        return _sight(_Window(remote.read_at), len(remote.head), remote.size, rules, "")
    is_all = remote.size == len(remote.head)
    data, is_whole = _unpacked(unpacker, remote.head, is_all)
    window = _Window(lambda offset, size: data[offset : offset + size], len(data))
    return _sight(window, len(data), len(data) if is_whole else -1, rules, unpacker.kind)


class _Window:
    """The bytes within reach; the others are an ImageError, which the readers of evidence pass over."""

    def __init__(self, read_at: ReadAt, end: int = -1) -> None:
        self._read_at = read_at
        self._end = end
        self.missed = False

    def __call__(self, offset: int, size: int, /) -> bytes:
        if 0 <= self._end < offset + size:
            raise self._miss()
        try:
            return self._read_at(offset, size)
        except FetchError as error:
            if error.context.get("reason") not in _OUT_OF_REACH:
                raise
            raise self._miss() from error

    def _miss(self) -> ImageError:
        self.missed = True
        return ImageError("These bytes of the image were not fetched.", reason="beyond-end")


def _sight(window: _Window, have: int, size: int, rules: Rules, packing: str) -> Sight:
    """Look at an image of which ``have`` bytes are at hand, and the others at most within reach."""
    # A packed block may be larger than all that came of it, and gives nothing before it is whole.
    first = _beginning(window, have, size) if have or not packing else None
    whole = size if size >= 0 else max(first.volume_size, have) if first else -1
    if whole >= 0:
        try:
            image = open_image(window, whole, allow_truncated=size < 0)
            return Sight(report_on(image, rules), not window.missed, packing)
        except ImageError:
            # What is wrong may be no more than that bytes are not here.
            if not window.missed:
                raise
    report = None
    if first:
        with suppress(ImageError):
            report = replace(report_on(first, rules), size=whole)
    return Sight(report, is_whole=False, packing=packing)


def _beginning(window: _Window, have: int, size: int) -> Image | None:
    """Open an image as if ``have`` bytes were all of it: what is no image is known by its beginning."""
    try:
        return open_image(window, have, allow_truncated=have != size)
    except ImageError as error:
        if have == size or error.context.get("reason") not in _INCOMPLETE:
            raise
        return None


def _unpacked(unpacker: Unpacker, head: bytes, is_all: bool) -> tuple[bytes, bool]:
    """The beginning of what is packed, and whether it is all of it."""
    data = bytearray()
    for piece in unpacker.feed(head):
        data += piece
        if len(data) >= UNPACKED:
            return bytes(data[:UNPACKED]), False
    if is_all:
        unpacker.finish()
    return bytes(data), is_all
