"""Bytes of an image on demand: a bounded block cache over ``read_at``, and a bound on the work of one call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from isobay.errors import ImageError

__all__ = ["SECTOR", "ReadAt", "Source", "damaged"]

ReadAt = Callable[[int, int], bytes]
"""``read_at(offset, size)`` in bytes; shorter only at the end of the file. What it raises passes through."""

SECTOR = 2048
"""Bytes of a logical sector (ECMA-119 6.1.2; OSTA UDF 2.60 2.2.4.2 for optical media)."""

BLOCK = 32 * 1024
"""Bytes of one cached block: the unit of a read, so that neighbouring structures cost one request."""

HEAD = 3 * BLOCK
"""Bytes read at once on opening: system area, volume descriptors and mostly the root directory."""

CACHED_BLOCKS = 64
"""Blocks kept (2 MiB): enough for all directories on a path, small enough for a thousand open images."""

WORK_LIMIT = 20_000
"""Units of work one call may cost. A unit is near a microsecond, so a hostile image ends within 50 ms."""

READ_COST = 25
"""Units one request to ``read_at`` costs: a call may make some hundreds of them."""


def damaged(message: str, reason: str = "damaged", **context: Any) -> ImageError:
    """Make the error for bytes that contradict the standard; ``reason`` is for programs."""
    return ImageError(message, reason=reason, **context)


class Source:
    """The image's bytes. Not for use by two threads at once."""

    __slots__ = ("_blocks", "_read_at", "reads", "size", "work")

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at = read_at
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self.size = size
        self.work = 0
        self.reads = 0

    def begin(self) -> None:
        """Start a public call: the work done so far is forgotten."""
        self.work = 0

    def spend(self, units: int) -> None:
        """Count work done for the current call, and end the call with ImageError when it is too much."""
        self.work += units
        if self.work > WORK_LIMIT:
            raise damaged(
                "The image needs more work for one question than any real medium does. It is damaged or made to harm.",
                "too-complex",
            )

    def head(self) -> bytes:
        """Return the first bytes of the image (at most ``HEAD``), fetched with one read."""
        data = self._fetch(0, min(HEAD, self.size))
        for start in range(0, len(data), BLOCK):
            self._blocks[start // BLOCK] = data[start : start + BLOCK]
        return data

    def read(self, offset: int, size: int) -> bytes:
        """Return exactly ``size`` bytes at ``offset``; ImageError (``beyond-end``) when the image has fewer."""
        end = offset + size
        if offset < 0 or size < 0 or end > self.size:
            raise damaged(
                f"The image points at {size} bytes at offset {offset}, but ends at {self.size}. "
                "It is damaged or incomplete; fetch it again.",
                "beyond-end",
                offset=offset,
                size=self.size,
            )
        if size > 2 * BLOCK:
            return self._fetch(offset, size)
        first = offset // BLOCK
        data = self._block(first)
        for number in range(first + 1, (end + BLOCK - 1) // BLOCK):
            data += self._block(number)
        start = offset - first * BLOCK
        return data[start : start + size]

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(number)
        if block is None:
            start = number * BLOCK
            block = self._fetch(start, min(BLOCK, self.size - start))
            self._blocks[number] = block
            if len(self._blocks) > CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(number)
        return block

    def _fetch(self, offset: int, size: int) -> bytes:
        self.spend(READ_COST)
        self.reads += 1
        data = self._read_at(offset, size)
        if len(data) != size:
            raise damaged(
                f"The image was said to have {self.size} bytes, but only {len(data)} of {size} could be read at "
                f"offset {offset}. It changed or was cut off while it was read.",
                "beyond-end",
                offset=offset,
                size=self.size,
            )
        return data
