"""What a worker does for instances that nobody asks anything of: it keeps the catalogue and the hosts in agreement."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event
from time import monotonic

from isobay.catalog import KeptInstance, Transaction
from isobay.engines.local.instance_record import EJECT, InstanceTools, task_of
from isobay.errors import IsobayError, UnavailableError
from isobay.hypervisor import Drive, Hypervisor, Seen
from isobay.tasks import Delivery
from isobay.telemetry import logs

LOOK_SECONDS = 5.0
STOP_SECONDS = 0.5  # after which it is seen that this is to end


class Watching:
    """Looks after the hosts. Any number of processes may, at the same time.

    The hosts are looked at before the rows: a row is there before its guest and goes after it, so a guest without
    a row is what an attempt that was thought dead left behind.
    """

    def __init__(self, tools: InstanceTools, delivery: Delivery) -> None:
        self._tools = tools
        self._catalog = tools.catalog
        self._delivery = delivery
        self._away: set[str] = set()
        self._watched: dict[str, Callable[[], None]] = {}
        self._changed = Event()

    def run(self, stop: Event) -> None:
        """Look at once, when something changes on a host, and every few seconds, until ``stop`` is set."""
        try:
            while not stop.is_set():
                self._changed.clear()
                try:
                    self.tend()
                except IsobayError as error:
                    logs.error("instances cannot be looked after", reason=error.message)
                due = monotonic() + LOOK_SECONDS
                while monotonic() < due and not stop.is_set() and not self._changed.wait(STOP_SECONDS):
                    pass
        finally:
            for end in self._watched.values():
                end()

    def tend(self) -> None:
        """Look once."""
        with self._catalog.reading() as tx:
            zones = self._tools.zones(tx).values()
            are_there = bool(self._catalog.instances.all(tx))
        for uri, zone in {self._tools.hosts.uri(zone): zone for zone in zones}.items():
            try:
                if uri:
                    self._agree(uri, self._tools.hosts.of(zone))
                    self._away.discard(uri)
            except UnavailableError as error:
                if uri not in self._away:
                    level = logging.INFO if are_there else logging.DEBUG  # many never have a host for instances
                    logs.write(level, "host does not answer", host=uri, reason=error.message)
                    self._away.add(uri)
            except IsobayError as error:
                logs.error("host cannot be looked after", host=uri, reason=error.message)

    def _agree(self, uri: str, host: Hypervisor) -> None:
        if uri not in self._watched:
            self._watched[uri] = host.watch(lambda _: self._changed.set())
        found = host.all()
        with self._catalog.reading() as tx:
            rows = {kept.id: kept for kept in self._catalog.instances.all(tx)}
            strays = [guest_id for guest_id in found if guest_id not in rows and not self._is_at_work(tx, guest_id)]
        for guest_id in strays:
            # Or else the catalogue came back from a backup that is older than the guest: its disk is not made again.
            host.remove(guest_id, keep_disk=True)
            logs.write(logging.INFO, "guest of no instance removed; its disk is kept", guest=guest_id, host=uri)
        swept = host.sweep()
        if swept:
            logs.write(logging.INFO, "copies of deleted images removed", count=swept, host=uri)
        for guest_id, seen in found.items():
            kept = rows.get(guest_id)
            if (
                kept
                and not kept.work
                and not kept.record.destroyed
                and (_ejects(kept, seen) or _emptied(kept, *seen.drives))
            ):
                self._follow(host, kept)

    def _is_at_work(self, tx: Transaction, guest_id: str) -> bool:
        # A guest that is there for one task alone has its id.
        task = self._catalog.tasks.get(tx, guest_id)
        return task is not None and task.status == "PENDING"

    def _follow(self, host: Hypervisor, kept: KeptInstance) -> None:
        """Do what a guest's own doings ask for, if nobody did anything with it while it is looked at again."""
        seen = host.get(kept.id)
        if seen is None:
            return
        # What is out of a running guest alone comes back with its next start: until then its bytes are needed.
        emptied = _emptied(kept, *seen.drives) and _emptied(kept, *seen.drives, *host.drives_at_start(kept.id))
        task = None
        with self._catalog.writing() as tx:
            if self._catalog.instances.get(tx, kept.id) != kept:
                return
            if _ejects(kept, seen):
                task = task_of(kept.environment_id, kept.id, EJECT)
                self._catalog.tasks.add(tx, task)
                self._catalog.instances.work_on(tx, kept.id, task.id)
            for slot in emptied:
                self._catalog.instances.take_out(tx, kept.id, slot)
        if task is not None:
            self._delivery.send(task.id)


def _ejects(kept: KeptInstance, seen: Seen) -> bool:
    """Whether the guest rebooted for the first time, which stopped it.

    A system that shut itself down instead looks the same, and goes on too; one that was asked to stop does not.
    """
    record = kept.record
    return seen.stopped_itself and record.ejects and not record.rests and not record.problem


def _emptied(kept: KeptInstance, *drives: Drive) -> list[int]:
    """The drives whose ISO somebody at the host took out."""
    full = {drive.slot for drive in drives if drive.image}
    return [drive.slot for drive in kept.isos if drive.slot not in full]
