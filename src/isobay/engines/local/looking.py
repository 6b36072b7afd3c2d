"""Looking at an image while it arrives: it is known long before it is whole, and refused as early."""

from __future__ import annotations

from collections.abc import Callable

from isobay.errors import ImageError
from isobay.image import ReadAt, open_image
from isobay.inspection import Report, RulesShelf
from isobay.inspection.report import report_on

FIRST_LOOK = 1 << 20  # the descriptors of ISO 9660, and UDF's anchor at its sector 256
GROWTH = 4
NEVER = 1 << 62
NOT_ARRIVED = "not-arrived"
# What is said of an image whose end is missing, as the end of one that is arriving is.
INCOMPLETE = frozenset({NOT_ARRIVED, "beyond-end", "truncated", "too-short"})


class Looking:
    """Looks again whenever four times as much is there, until nothing is missing for the report."""

    def __init__(self, rules: RulesShelf, tell: Callable[[Report], None]) -> None:
        self._rules = rules
        self._tell = tell
        self.begin()

    def begin(self) -> None:
        """Other bytes come, from the first one."""
        self._next = FIRST_LOOK

    def at(self, read_at: ReadAt, have: int, total: int) -> None:
        """Look, if it is time to. ``total`` is the image's size in bytes, -1 while nobody knows.

        Raises ImageError for what is no ISO, or is shorter than its own descriptors say.
        """
        if have < self._next or have == total:
            return
        self._next = have * GROWTH
        window = _Window(read_at, have)
        try:
            # As if this were all: whatever is no image is known by its beginning.
            open_image(window, have, allow_truncated=True)
        except ImageError as error:
            if error.context.get("reason") not in INCOMPLETE:
                raise
            return
        self._report(window, have if total < 0 else total, is_open=total < 0)

    def _report(self, window: _Window, size: int, *, is_open: bool) -> None:
        try:
            image = open_image(window, size, allow_truncated=is_open)
            # What tells the system may lie gigabytes further on: what is known without it is told already.
            window.is_lenient = True
            report = report_on(image, self._rules.rules())
        except _NotArrivedError:
            return
        except ImageError as error:
            if error.context.get("reason") == NOT_ARRIVED or is_open:
                return
            raise
        if not window.missed and not is_open:
            self._next = NEVER
        self._tell(report)


class _NotArrivedError(Exception):
    """The bytes are still to come."""


class _Window:
    """The bytes that are there."""

    def __init__(self, read_at: ReadAt, have: int) -> None:
        self._read_at = read_at
        self._have = have
        self.is_lenient = False
        self.missed = False

    def __call__(self, offset: int, size: int, /) -> bytes:
        if offset + size <= self._have:
            return self._read_at(offset, size)
        if not self.is_lenient:
            raise _NotArrivedError
        self.missed = True
        raise ImageError("These bytes of the image have not arrived yet.", reason=NOT_ARRIVED)
