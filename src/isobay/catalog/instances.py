"""Instances: what is wanted of each, what is in its drives, and which work on it goes on."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, true, update

from isobay.catalog.tables import installation, instance_isos, instances, isos, tasks
from isobay.model.instance import InstanceFirmware, InstanceNetwork

_SELECT = (
    select(
        instances.c.id,
        instances.c.environment_id,
        instances.c.zone_id,
        instances.c.task_id,
        instances.c.record,
        func.coalesce(tasks.c.kind, ""),
    )
    .join_from(instances, tasks, and_(tasks.c.id == instances.c.task_id, tasks.c.status == "PENDING"), isouter=True)
    .order_by(instances.c.seq)
)
_DRIVES = (
    select(
        instance_isos.c.instance_id,
        instance_isos.c.slot,
        instance_isos.c.iso_id,
        instance_isos.c.leaving,
        isos.c.name,
        isos.c.scope_id,
        isos.c.object_id,
    )
    .join_from(instance_isos, isos, isos.c.id == instance_isos.c.iso_id)
    .join(instances, instances.c.id == instance_isos.c.instance_id)
    .order_by(instance_isos.c.slot)
)


class InstanceRecord(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What is wanted of an instance, and what its host does not tell. Sizes are MiB of memory and GiB of disk.

    ``owner`` is the key (its id) that made it. ``image_id`` and ``image_name`` are those of the ISO that it was made
    from, as it was then. ``disk`` is what the host calls its disk, empty as long as it was not made. ``ejects``: the
    first drive is to be emptied at the guest's first reboot. ``rests``: it was asked to stop, and is not to go on by
    itself. ``problem`` says why it was not made.
    """

    name: str
    owner: str
    cpu_count: int
    memory_mb: int
    disk_gb: int
    architecture: str
    firmware: InstanceFirmware
    network: InstanceNetwork
    mac: str
    offering_id: str
    image_id: str
    image_name: str
    created: str
    updated: str
    ejects: bool = False
    rests: bool = False
    disk: str = ""
    destroyed: str = ""
    problem: str = ""


class Inserted(Struct, frozen=True):
    """An ISO in a drive, its name, the scope it is seen in, and its object. ``leaving``: it is being taken out."""

    slot: int
    iso_id: str
    leaving: bool
    name: str
    scope_id: int
    object_id: str


class KeptInstance(Struct, frozen=True):
    """An instance. ``work`` is the kind of the task that works on it, empty where none does."""

    id: str
    environment_id: str
    zone_id: str
    task_id: str
    record: InstanceRecord
    work: str = ""
    isos: tuple[Inserted, ...] = ()


class IsoUse(Struct, frozen=True):
    """An instance that uses an ISO."""

    instance_id: str
    environment_id: str
    name: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(InstanceRecord).decode


class Instances:
    """The instances."""

    def installation(self, tx: Connection) -> str:
        """The id that tells this catalogue from all others."""
        return str(tx.execute(select(installation.c.id)).scalar_one())

    def add(self, tx: Connection, new: KeptInstance) -> None:
        """Keep a new instance, with what is to be in its drives."""
        values = {
            "id": new.id,
            "environment_id": new.environment_id,
            "zone_id": new.zone_id,
            "task_id": new.task_id,
            "record": _encode(new.record).decode(),
        }
        tx.execute(insert(instances).values(values))
        for drive in new.isos:
            self.insert(tx, new.id, drive.slot, drive.iso_id)

    def get(self, tx: Connection, instance_id: str) -> KeptInstance | None:
        """The instance with this id, whosoever it is."""
        return next(iter(_found(tx, instances.c.id == instance_id)), None)

    def of_environment(self, tx: Connection, environment_id: str) -> list[KeptInstance]:
        """The instances of an environment, oldest first."""
        return _found(tx, instances.c.environment_id == environment_id)

    def all(self, tx: Connection) -> list[KeptInstance]:
        """The instances of all environments, oldest first."""
        return _found(tx, true())

    def count(self, tx: Connection, environment_id: str) -> int:
        """How many an environment has."""
        statement = select(func.count()).select_from(instances).where(instances.c.environment_id == environment_id)
        return int(tx.execute(statement).scalar_one())

    def write(self, tx: Connection, instance_id: str, record: InstanceRecord) -> None:
        """Write an instance's record anew."""
        values = {"record": _encode(record).decode()}
        tx.execute(update(instances).where(instances.c.id == instance_id).values(values))

    def work_on(self, tx: Connection, instance_id: str, task_id: str) -> None:
        """Note that a task works on it from now on."""
        tx.execute(update(instances).where(instances.c.id == instance_id).values(task_id=task_id))

    def delete(self, tx: Connection, instance_id: str) -> None:
        """Forget an instance, and what is in its drives."""
        tx.execute(delete(instances).where(instances.c.id == instance_id))

    def insert(self, tx: Connection, instance_id: str, slot: int, iso_id: str) -> None:
        """Note that an ISO is to be in a drive, instead of whatever is in it."""
        self.take_out(tx, instance_id, slot)
        values = {"instance_id": instance_id, "slot": slot, "iso_id": iso_id, "leaving": False}
        tx.execute(insert(instance_isos).values(values))

    def set_leaving(self, tx: Connection, instance_id: str, slot: int, *, leaving: bool) -> None:
        """Note that the ISO in a drive is being taken out, or stays after all."""
        tx.execute(update(instance_isos).where(*_drive(instance_id, slot)).values(leaving=leaving))

    def take_out(self, tx: Connection, instance_id: str, slot: int) -> None:
        """Note that a drive is empty."""
        tx.execute(delete(instance_isos).where(*_drive(instance_id, slot)))

    def users(self, tx: Connection, iso_id: str) -> list[IsoUse]:
        """The instances that use an ISO, by their ids."""
        statement = (
            select(instances.c.id, instances.c.environment_id, instances.c.record)
            .join_from(instances, instance_isos, instance_isos.c.instance_id == instances.c.id)
            .where(instance_isos.c.iso_id == iso_id)
            .distinct()
        )
        rows = tx.execute(statement.order_by(instances.c.id)).all()
        return [IsoUse(row[0], row[1], _decode(row[2]).name) for row in rows]


def _drive(instance_id: str, slot: int) -> tuple[ColumnElement[bool], ...]:
    return (instance_isos.c.instance_id == instance_id, instance_isos.c.slot == slot)


def _found(tx: Connection, where: ColumnElement[bool]) -> list[KeptInstance]:
    drives: dict[str, list[Inserted]] = {}
    for row in tx.execute(_DRIVES.where(where)):
        drives.setdefault(row[0], []).append(Inserted(*row[1:]))
    return [_kept(row, drives) for row in tx.execute(_SELECT.where(where))]


def _kept(row: Any, drives: dict[str, list[Inserted]]) -> KeptInstance:
    instance_id, environment_id, zone_id, task_id, record, work = row
    isos_in = tuple(drives.get(instance_id, ()))
    return KeptInstance(instance_id, environment_id, zone_id, task_id, _decode(record), work, isos_in)
