"""How much an environment may hold."""

from __future__ import annotations

from msgspec import Struct

from isobay.catalog import Catalog, Transaction
from isobay.errors import QuotaError


class Quota(Struct, frozen=True):
    """Limits of every environment without ones of its own: the number of ISOs, their bytes in all; 0 is no limit."""

    isos: int = 0
    bytes: int = 0

    def check_new(self, catalog: Catalog, tx: Transaction, environment_id: str) -> None:
        """Raise QuotaError where an environment may hold no more ISOs."""
        count, size = catalog.isos.usage(tx, environment_id)
        own, _ = catalog.environments.quotas(tx, environment_id)
        limit = own or self.isos
        if limit and count >= limit:
            raise QuotaError(
                f"The environment holds {count} ISOs, and may hold {limit}. Delete one, or ask an administrator to "
                f"raise {_where('maxIsos', own)}.",
                limit=limit,
                used=count,
            )
        self._check(catalog, tx, environment_id, size, 1)

    def check_bytes(self, catalog: Catalog, tx: Transaction, environment_id: str, wanted: int, counted: int) -> None:
        """Raise QuotaError where ``wanted`` bytes are too many; ``counted`` of them are in the catalogue already."""
        _, size = catalog.isos.usage(tx, environment_id)
        self._check(catalog, tx, environment_id, size - counted, wanted)

    def left(self, catalog: Catalog, tx: Transaction, environment_id: str) -> int:
        """Bytes that may still come; -1 is no limit."""
        _, size = catalog.isos.usage(tx, environment_id)
        _, own = catalog.environments.quotas(tx, environment_id)
        limit = own or self.bytes
        return max(limit - size, 0) if limit else -1

    def _check(self, catalog: Catalog, tx: Transaction, environment_id: str, used: int, wanted: int) -> None:
        _, own = catalog.environments.quotas(tx, environment_id)
        limit = own or self.bytes
        if limit and used + wanted > limit:
            raise QuotaError(
                f"The environment holds {used} of the {limit} bytes it may, and {wanted} more would be too many. "
                f"Delete an ISO, or ask an administrator to raise {_where('maxBytes', own)}.",
                limit=limit,
                used=used,
                wanted=wanted,
            )


def _where(name: str, own: int) -> str:
    setting = {"maxIsos": "ISOBAY_ENVIRONMENT_ISOS", "maxBytes": "ISOBAY_ENVIRONMENT_BYTES"}[name]
    return f"its {name}" if own else f"its {name} or {setting}"
