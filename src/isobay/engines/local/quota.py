"""How much an environment may hold."""

from __future__ import annotations

from msgspec import Struct

from isobay.catalog import Catalog, Transaction
from isobay.errors import QuotaError


class Quota(Struct, frozen=True):
    """Limits of every environment: the number of ISOs, and their bytes in all; 0 is no limit."""

    isos: int = 0
    bytes: int = 0

    def check_new(self, catalog: Catalog, tx: Transaction, environment_id: str) -> None:
        """Raise QuotaError where an environment may hold no more ISOs."""
        count, size = catalog.isos.usage(tx, environment_id)
        if self.isos and count >= self.isos:
            raise QuotaError(
                f"The environment holds {count} ISOs, as many as it may. Delete one, or raise ISOBAY_ENVIRONMENT_ISOS.",
                limit=self.isos,
                used=count,
            )
        self._check(size, 1)

    def check_bytes(self, catalog: Catalog, tx: Transaction, environment_id: str, wanted: int, counted: int) -> None:
        """Raise QuotaError where ``wanted`` bytes are too many; ``counted`` of them are in the catalogue already."""
        _, size = catalog.isos.usage(tx, environment_id)
        self._check(size - counted, wanted)

    def left(self, catalog: Catalog, tx: Transaction, environment_id: str) -> int:
        """Bytes that may still come; -1 is no limit."""
        _, size = catalog.isos.usage(tx, environment_id)
        return max(self.bytes - size, 0) if self.bytes else -1

    def _check(self, used: int, wanted: int) -> None:
        if self.bytes and used + wanted > self.bytes:
            raise QuotaError(
                f"The environment holds {used} of the {self.bytes} bytes it may, and {wanted} more would be too many. "
                "Delete an ISO, or raise ISOBAY_ENVIRONMENT_BYTES.",
                limit=self.bytes,
                used=used,
                wanted=wanted,
            )
