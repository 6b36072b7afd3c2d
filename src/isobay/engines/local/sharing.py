"""Equal images are kept once, and nobody is told."""

from __future__ import annotations

from msgspec import Struct

from isobay.catalog import Catalog
from isobay.errors import IsobayError, StorageError
from isobay.objects import Objects
from isobay.telemetry import logs

AT_ONCE = 1000


class Sharing(Struct, frozen=True):
    """Lets ISOs with equal bytes have one object.

    An ISO becomes ready with bytes of its own, and only then all that are equal take those of one: the rows first,
    then the bytes that nobody needs any more. A process that dies in between leaves an ISO that is still unsettled, or
    bytes without a row, which are swept at the next start.

    Where the store gives links of its own, only ISOs of one environment have one object: a link names it, and changes
    or ends when it does, which would tell an environment what another one has.
    """

    catalog: Catalog
    objects: Objects

    def settle(self, iso_id: str) -> None:
        """Call this when an ISO became ready and nobody holds its part. What fails is logged: the ISO is ready."""
        try:
            self._settle(iso_id)
        except IsobayError as error:
            logs.error("equal images are kept twice", reason=error.message)

    def settle_new(self) -> None:
        """Settle those that came since. Raises StorageError, UnavailableError."""
        with self.catalog.reading() as tx:
            new = self.catalog.unsettled.some(tx, AT_ONCE)
        for iso_id in new:
            self._settle(iso_id)

    def settle_all(self) -> None:
        """Settle all, also those that an instance used when they came, and no more."""
        with self.catalog.reading() as tx:
            doubles = self.catalog.isos.doubles(tx, AT_ONCE, within=self.objects.gives_links)
        for iso_id in doubles:
            self.settle(iso_id)

    def _settle(self, iso_id: str) -> None:
        with self.catalog.writing() as tx:
            left = self.catalog.isos.share(tx, iso_id, self._is_there, within=self.objects.gives_links)
            self.catalog.unsettled.remove(tx, iso_id)
        for each in left:
            self.objects.delete(each)

    def _is_there(self, object_id: str, size: int) -> bool:
        try:
            stored = self.objects.open(object_id)
        except StorageError:
            return False  # whoever brings the image again must keep the bytes that came
        try:
            return stored.size == size
        finally:
            stored.close()
