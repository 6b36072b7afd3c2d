"""The record of an ISO while it arrives, when it is there, and when it failed to."""

from __future__ import annotations

from typing import Any

import msgspec

from isobay.catalog import Catalog, Transaction
from isobay.catalog.isos import Kept
from isobay.clock import utc_now
from isobay.engines.local.quota import Quota
from isobay.errors import IsobayError
from isobay.tasks import LostError


class ArrivalRecord:
    """Writes into an ISO's record, within the transaction of its task. LostError where it is deleted."""

    def __init__(self, catalog: Catalog, quota: Quota, iso_id: str) -> None:
        self._catalog = catalog
        self._quota = quota
        self._iso_id = iso_id

    def arriving(self, tx: Transaction, progress: float, message: str, fields: dict[str, Any], size: int) -> None:
        """Note how far it is, and what is known so far. Raises QuotaError as ``expect``, of which it may be more."""
        if size > self._kept(tx).iso.size:
            self.expect(tx, size)
        self._change(tx, progress=progress, status_message=message, **fields)

    def expect(self, tx: Transaction, size: int) -> None:
        """Note how large it will be. Raises QuotaError where that is too much for the environment."""
        kept = self._kept(tx)
        self._quota.check_bytes(self._catalog, tx, kept.environment_id, size, kept.iso.size)
        self._change(tx, size=size)

    def describe(self, tx: Transaction, description: str) -> None:
        """Describe it, where nobody did."""
        if not self._kept(tx).iso.description:
            self._change(tx, description=description)

    def ready(self, tx: Transaction, object_id: str, **fields: Any) -> None:
        """Say that it is there, whole and checked."""
        self.expect(tx, fields["size"])
        self._change(tx, object_id, ready=True, status="ready", progress=1.0, **fields)
        self._catalog.unsettled.add(tx, self._iso_id)
        if fields["bootable"]:
            self._catalog.boot_proofs.await_one(tx, self._iso_id)

    def failed(self, tx: Transaction, error: IsobayError, size: int) -> None:
        """Say why it did not come. ``size`` bytes of it are kept for another try."""
        self._change(tx, status="failed", status_message=error.public, size=size)

    def move(self, tx: Transaction, object_id: str) -> None:
        """Note that its bytes come under another id from now on: somebody holds those under the old one."""
        self._change(tx, object_id)

    def _change(self, tx: Transaction, object_id: str = "", **fields: Any) -> None:
        kept = self._kept(tx)
        place = self._catalog.places.by_id(tx, kept.environment_id)
        if place is None:
            raise LostError
        iso = msgspec.structs.replace(kept.iso, **fields, updated=utc_now())
        self._catalog.isos.replace(tx, place, iso, object_id)

    def _kept(self, tx: Transaction) -> Kept:
        kept = self._catalog.isos.by_id(tx, self._iso_id)
        if kept is None:
            raise LostError
        return kept
