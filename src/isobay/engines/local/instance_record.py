"""What all who work on instances share: their kinds of work, and how the catalogue's rows become guests."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Struct

from isobay.catalog import Catalog, KeptInstance, Transaction
from isobay.clock import utc_now
from isobay.engines.local.instance_hosts import Hosts
from isobay.errors import WrongStateError
from isobay.hypervisor import SLOTS, Drive, Guest, Hypervisor, Seen
from isobay.model import Task, Zone
from isobay.objects import Objects
from isobay.tasks import LostError

CREATE = "instance.create"
START = "instance.start"
STOP = "instance.stop"
HALT = "instance.halt"
REBOOT = "instance.reboot"
ATTACH = "instance.attach"
DETACH = "instance.detach"
EJECT = "instance.eject"
DESTROY = "instance.destroy"
RECOVER = "instance.recover"
PURGE = "instance.purge"
OPERATIONS = frozenset({CREATE, START, STOP, HALT, REBOOT, ATTACH, DETACH, EJECT, DESTROY, RECOVER, PURGE})


class InstanceTools(Struct, frozen=True):
    """What all need. ``most`` is how many instances an environment may have.

    ``stop_seconds`` is how long a guest may take to heed its power button.
    """

    catalog: Catalog
    objects: Objects
    hosts: Hosts
    most: int
    stop_seconds: int

    def zones(self, tx: Transaction) -> dict[str, Zone]:
        """All zones of all connections, by id."""
        connections = self.catalog.connections
        return {zone.id: zone for each in connections.all(tx) for zone in connections.zones(tx, each.id)}

    def host(self, tx: Transaction, kept: KeptInstance) -> Hypervisor:
        """The host of an instance. Raises UnavailableError where its zone has none."""
        return self.hosts.of(self.zones(tx)[kept.zone_id])

    def change(self, tx: Transaction, instance_id: str, **fields: Any) -> None:
        """Change what is known of an instance. Raises LostError where it is gone."""
        kept = self.catalog.instances.get(tx, instance_id)
        if kept is None:
            raise LostError
        record = msgspec.structs.replace(kept.record, **fields, updated=utc_now())
        self.catalog.instances.write(tx, instance_id, record)

    def images(self, tx: Transaction, kept: KeptInstance) -> dict[int, Path]:
        """The files for the drives that hold something. Raises WrongStateError, StorageError for one that is missing.

        The ISOs are those of the rows, also where they are not seen from the environment any more.
        """
        found = {}
        for drive in kept.isos:
            iso = self.catalog.isos.by_id(tx, drive.iso_id)
            if drive.leaving or iso is None:
                continue
            if not iso.iso.ready:
                raise WrongStateError(
                    f"The ISO {iso.iso.name!r} in drive {drive.slot} of the instance {kept.record.name!r} is "
                    f"{iso.iso.status}. Detach it, or bring its bytes back.",
                    type="isos",
                    id=drive.iso_id,
                    status=iso.iso.status,
                )
            found[drive.slot] = self.objects.path(iso.object_id)
        return found


def guest_of(kept: KeptInstance, disk: str, images: dict[int, Path], seen: Seen | None, *, ejects: bool) -> Guest:
    """The guest to define for an instance; its size is that which it is ``seen`` with, where it is defined already."""
    record = kept.record
    return Guest(
        id=kept.id,
        name=record.name,
        environment_id=kept.environment_id,
        owner=record.owner,
        cpu_count=seen.cpu_count if seen else record.cpu_count,
        memory_mb=seen.memory_mb if seen else record.memory_mb,
        architecture=record.architecture,
        firmware=record.firmware,
        disk=disk,
        drives=tuple(Drive(slot, images.get(slot)) for slot in range(SLOTS)),
        network=record.network,
        mac=record.mac,
        stops_at_reboot=ejects,
    )


def settle_drives(host: Hypervisor, seen: Seen, images: dict[int, Path]) -> None:
    """Let a guest's drives hold what they are to hold."""
    for drive in seen.drives:
        image = images.get(drive.slot)
        if drive.image != image:
            host.insert(seen.id, drive.slot, image)


def task_of(environment_id: str, instance_id: str, kind: str) -> Task:
    """A task that works on an instance, before anybody does."""
    return Task(
        id=str(uuid4()),
        kind=kind,
        status="PENDING",
        created=utc_now(),
        environment_id=environment_id,
        subject=instance_id,
        message="Waiting for its turn.",
    )
