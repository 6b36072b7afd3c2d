"""Having ISOs booted as a proof: those that have become ready, in their turn, and those that somebody asks for."""

from __future__ import annotations

import logging
from threading import Event
from typing import Literal

from isobay.catalog import Catalog, Place, Transaction
from isobay.catalog.isos import Kept
from isobay.engines.local.downloading import missing
from isobay.engines.local.instance_record import InstanceTools, task_of
from isobay.errors import ConflictError, ForbiddenError, IsobayError, NotFoundError, WrongStateError
from isobay.model import Iso, Task
from isobay.tasks import Delivery
from isobay.telemetry import logs

PROVE = "iso.prove"
LOOK_SECONDS = 5.0
MOST_LOOKED_AT = 200
Wish = Literal["auto", "on", "off"]


class Proving:
    """Begins proofs. Those that nobody asked for come one at a time, over all processes, where a host answers."""

    def __init__(self, tools: InstanceTools, delivery: Delivery, wish: Wish) -> None:
        self._tools = tools
        self._catalog: Catalog = tools.catalog
        self._delivery = delivery
        self._wish = wish
        self._is_stuck = False

    def run(self, stop: Event) -> None:
        """Look now and then whether something waits, until ``stop`` is set."""
        while not stop.is_set():
            try:
                self.tend()
            except IsobayError as error:
                logs.error("boot proofs cannot be begun", reason=error.message)
            stop.wait(LOOK_SECONDS)

    def tend(self) -> None:
        """Look once."""
        if self._wish == "off":
            return
        with self._catalog.reading() as tx:
            waiting = self._catalog.boot_proofs.awaited(tx, MOST_LOOKED_AT)
            if not waiting or self._catalog.boot_proofs.is_pending(tx):
                return
        zones = self._answering()
        if not zones:
            return
        with self._catalog.writing() as tx:
            if self._catalog.boot_proofs.is_pending(tx):
                return  # another process was quicker
            task = self._first(tx, zones)
        if task is not None:
            self._delivery.send(task.id)

    def start(self, place: Place, iso_id: str) -> tuple[Iso, Task]:
        """Have an ISO booted now. See ``Engine.prove_iso``."""
        with self._catalog.writing() as tx:
            kept = self._catalog.isos.get(tx, place, iso_id)
            if kept is None:
                raise missing(iso_id)
            _check(place, kept)
            if self._wish == "off":
                raise WrongStateError("ISOs are not booted here as a proof: ISOBAY_BOOT_PROOF is off. Set it to auto.")
            if self._catalog.boot_proofs.is_pending(tx, iso_id):
                raise ConflictError(
                    f"The ISO {kept.iso.name!r} is being booted already. Wait until that has ended.",
                    type="isos",
                    id=iso_id,
                )
            task = self._begin(tx, kept)
        self._delivery.send(task.id)
        return kept.iso, task

    def picture(self, place: Place, iso_id: str) -> bytes:
        """What an ISO showed. See ``Engine.iso_picture``."""
        with self._catalog.reading() as tx:
            kept = self._catalog.isos.get(tx, place, iso_id)
            if kept is None:
                raise missing(iso_id)
            png = self._catalog.boot_proofs.picture(tx, iso_id)
        if not png:
            raise NotFoundError(
                f"There is no picture of the ISO {kept.iso.name!r}: it was not booted as a proof, or showed nothing. "
                "Its bootProof says which; operation=prove boots it.",
                type="isos",
                id=iso_id,
            )
        return png

    def _answering(self) -> set[str]:
        """The ids of the zones whose hosts answer."""
        with self._catalog.reading() as tx:
            zones = self._tools.zones(tx).values()
        found: set[str] = set()
        reason = "no zone has a host"
        for zone in zones:
            try:
                if self._tools.hosts.uri(zone):
                    self._tools.hosts.of(zone).host()
                    found.add(zone.id)
            except IsobayError as error:
                reason = error.message
        if not found and self._wish == "on" and not self._is_stuck:
            logs.error("ISOs wait to be booted as a proof, and no host answers", reason=reason)
        self._is_stuck = not found
        return found

    def _first(self, tx: Transaction, zones: set[str]) -> Task | None:
        """Begin with the first that waits and can be booted in one of the zones."""
        for iso_id in self._catalog.boot_proofs.awaited(tx, MOST_LOOKED_AT):
            kept = self._catalog.isos.by_id(tx, iso_id)
            if kept is not None and zones.intersection(kept.iso.available_in_zones):
                logs.write(logging.DEBUG, "boot proof begun", iso=iso_id)
                return self._begin(tx, kept)
        return None

    def _begin(self, tx: Transaction, kept: Kept) -> Task:
        task = task_of(kept.environment_id, kept.iso.id, PROVE)
        self._catalog.tasks.add(tx, task)
        self._catalog.boot_proofs.begin(tx, kept.iso.id, task.id)
        return task


def _check(place: Place, kept: Kept) -> None:
    iso = kept.iso
    if kept.environment_id != place.environment_id:
        raise ForbiddenError(
            f"The ISO {iso.name!r} is {iso.visibility} and belongs to another environment, which alone can have it "
            "booted as a proof.",
            type="isos",
            id=iso.id,
        )
    if not (iso.ready and iso.bootable):
        reason = "does not boot" if iso.ready else f"is {iso.status}"
        raise WrongStateError(
            f"The ISO {iso.name!r} {reason}. One that is ready and bootable can be booted as a proof.",
            type="isos",
            id=iso.id,
            status=iso.status,
            bootable=iso.bootable,
        )
