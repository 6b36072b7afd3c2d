"""Fetching an image from an isobay, from wherever it stopped before."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, urlencode

from isobay.errors import InvalidFieldsError, NotFoundError
from isobay.model import Iso
from isobay.transfer.answers import Answer
from isobay.transfer.other_isobay import OtherIsobay

Told = Callable[[int], None]


class Receiver(OtherIsobay):
    """An isobay from which images are fetched."""

    def iso(self, word: str) -> Iso:
        """The ISO that is meant by an id, or a name that only one has. InvalidFieldsError where several have it."""
        try:
            return self._read(f"/isos/{quote(word, safe='')}", Iso)
        except NotFoundError:
            found = self._read(f"/isos?{urlencode({'name': word, 'page_size': 2})}", list[Iso])
            if len(found) > 1:
                raise InvalidFieldsError({"id": f"{word!r} may be several ISOs; give the whole id"}) from None
            if not found:
                raise
            return found[0]

    def fetch(self, iso: Iso, have: int, take: Callable[[bytes], None], begin: Told) -> None:
        """Fetch what comes after the first ``have`` bytes, which are not all; ``take`` is given the bytes in turn.

        ``begin`` is told first where they begin, which is 0 where the service has other bytes by now.
        """
        headers = [f"Range: bytes={have}-", f'If-Range: "{iso.checksums["sha256"]}"'] if have else []
        has_begun = False

        def taken(answer: Answer, piece: bytes) -> None:
            nonlocal has_begun
            if not has_begun:
                has_begun = True
                start = answer.span[0] if answer.status == 206 and answer.span else 0
                if start not in (0, have):
                    raise self._no_isobay(answer.status)
                begin(start)
            take(piece)

        answer = self._ask("GET", f"/isos/{iso.id}/content", headers, taken)
        if not has_begun:
            raise self._no_isobay(answer.status)
