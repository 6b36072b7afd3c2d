"""Instances are kept with what is in their drives, and hold on to it."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from isobay.catalog import Inserted, InstanceRecord, KeptInstance
from isobay.catalog.tasks import EVERY, Lane
from isobay.model import Task, Zone

NOW = "2026-01-01T00:00:00.000000Z"
RECORD = InstanceRecord(
    name="guest",
    owner="key",
    cpu_count=1,
    memory_mb=64,
    disk_gb=1,
    architecture="x86_64",
    firmware="bios",
    network="user",
    mac="52:54:00:00:00:01",
    offering_id="custom",
    image_id="image",
    image_name="system",
    created=NOW,
    updated=NOW,
)


@pytest.fixture
def keep(shelf):
    """Give a way to keep an instance of an environment with ISOs in its first drives."""
    with shelf.catalog.writing() as tx:
        shelf.catalog.connections.add_zone(tx, "connection-1", Zone("zone", "zone1"))

    def keep(instance_id, *isos, environment_id="environment-1", **fields):
        drives = tuple(Inserted(slot, iso.id, False, iso.name, 0, "") for slot, iso in enumerate(isos))
        record = msgspec.structs.replace(RECORD, **fields)
        with shelf.catalog.writing() as tx:
            new = KeptInstance(instance_id, environment_id, "zone", f"task-{instance_id}", record, isos=drives)
            shelf.catalog.instances.add(tx, new)

    return keep


def test_an_instance_is_found_as_it_was_kept(shelf, keep):
    """It is read back with its drives and the names of what is in them, by its id and in its environment, in order."""
    system, drivers = shelf.add(name="system"), shelf.add(name="drivers")
    keep("b", system, drivers, ejects=True)
    keep("a")
    keep("c", environment_id="environment-2")
    instances = shelf.catalog.instances
    with shelf.catalog.reading() as tx:
        found = instances.get(tx, "b")
        assert [(each.slot, each.iso_id, each.name) for each in found.isos] == [
            (0, system.id, "system"),
            (1, drivers.id, "drivers"),
        ]
        assert found.record == msgspec.structs.replace(RECORD, ejects=True)
        assert [each.id for each in instances.of_environment(tx, "environment-1")] == ["b", "a"]
        assert [each.id for each in instances.all(tx)] == ["b", "a", "c"]
        assert (instances.count(tx, "environment-1"), instances.count(tx, "environment-3")) == (2, 0)
        assert instances.get(tx, "d") is None


def test_work_is_that_of_a_pending_task(shelf, keep):
    """What works on an instance is its newest task, as long as that has not ended."""
    keep("a")
    tasks, instances = shelf.catalog.tasks, shelf.catalog.instances
    with shelf.catalog.writing() as tx:
        assert instances.get(tx, "a").work == ""
        tasks.add(tx, Task(id="task", kind="instance.start", status="PENDING", created=NOW, subject="a"))
        instances.work_on(tx, "a", "task")
        assert instances.get(tx, "a").work == "instance.start"
        tasks.end_all_of(tx, "a", "Gone.", {})
        assert instances.get(tx, "a").work == ""


def test_drives_change(shelf, keep):
    """An ISO takes the place of another, is marked as leaving, and goes; with the instance all do."""
    first, second = shelf.add(name="first"), shelf.add(name="second")
    keep("a", first)
    instances = shelf.catalog.instances
    with shelf.catalog.writing() as tx:
        instances.insert(tx, "a", 0, second.id)
        instances.set_leaving(tx, "a", 0, leaving=True)
        instances.insert(tx, "a", 3, first.id)
        assert [(each.slot, each.name, each.leaving) for each in instances.get(tx, "a").isos] == [
            (0, "second", True),
            (3, "first", False),
        ]
        instances.take_out(tx, "a", 0)
        assert instances.users(tx, second.id) == []
        instances.delete(tx, "a")
        assert instances.users(tx, first.id) == []


def test_an_iso_in_a_drive_cannot_go(shelf, keep):
    """The database itself refuses to forget an ISO that an instance uses, and tells who uses it, each once."""
    iso = shelf.add(name="system")
    keep("a", iso, iso, name="one")
    keep("b", iso, name="two", environment_id="environment-2")
    with shelf.catalog.reading() as tx:
        uses = shelf.catalog.instances.users(tx, iso.id)
    assert [(each.instance_id, each.environment_id, each.name) for each in uses] == [
        ("a", "environment-1", "one"),
        ("b", "environment-2", "two"),
    ]
    with pytest.raises(IntegrityError):
        shelf.delete(iso.id)
    assert shelf.get(iso.id) == iso


def test_equal_bytes_in_a_drive_stay(shelf, keep):
    """Of ISOs with equal bytes, those that an instance uses keep their objects; the others share the newest's."""
    fields = {"ready": True, "size": 7, "checksums": {"sha256": "5" * 64}}
    oldest, used, free = (shelf.add(name=name, **fields) for name in ("oldest", "used", "free"))
    keep("a", used)
    with shelf.catalog.writing() as tx:
        assert shelf.catalog.isos.doubles(tx, 10) == [free.id]
        left = shelf.catalog.isos.share(tx, free.id, lambda _object, _size: True)
        objects = [shelf.catalog.isos.by_id(tx, each.id).object_id for each in (oldest, used, free)]
    assert left == [f"object-{oldest.id[:8]}"]
    assert objects == [f"object-{free.id[:8]}", f"object-{used.id[:8]}", f"object-{free.id[:8]}"]


def test_equal_bytes_may_stay_within_their_environment(shelf):
    """Then an ISO shares with those beside it, and not with the equal ones of others, older or newer."""
    fields = {"ready": True, "size": 7, "checksums": {"sha256": "5" * 64}}
    beside, older, newer, last = (shelf.add(name, **fields) for name in ("beside", "here", "here", "elsewhere"))
    with shelf.catalog.writing() as tx:
        assert shelf.catalog.isos.doubles(tx, 10) == [older.id, newer.id, last.id]
        assert shelf.catalog.isos.doubles(tx, 10, within=True) == [newer.id]
        left = shelf.catalog.isos.share(tx, newer.id, lambda _object, _size: True, within=True)
        objects = [shelf.catalog.isos.by_id(tx, each.id).object_id for each in (beside, older, newer, last)]
        assert shelf.catalog.isos.share(tx, beside.id, lambda _object, _size: True, within=True) == []
    assert left == [f"object-{older.id[:8]}"]
    assert objects == [f"object-{each.id[:8]}" for each in (beside, newer, newer, last)]


def test_every_catalogue_has_an_id(catalog):
    """A catalogue has one id from its making on."""
    with catalog.reading() as tx:
        assert len(catalog.instances.installation(tx)) == 36
        assert catalog.instances.installation(tx) == catalog.instances.installation(tx)


def test_a_lane_has_its_kinds(catalog):
    """Pending tasks are those of a lane's kinds, or of all kinds but these."""
    with catalog.writing() as tx:
        for kind in ("fast", "slow"):
            catalog.tasks.add(tx, Task(id=kind, kind=kind, status="PENDING", created=NOW))
        kinds = frozenset({"fast"})
        assert catalog.tasks.pending(tx, 10, lane=Lane("one", kinds)) == ["fast"]
        assert catalog.tasks.pending(tx, 10, lane=Lane("two", kinds, takes_rest=True)) == ["slow"]
        assert catalog.tasks.pending(tx, 10, lane=EVERY) == ["fast", "slow"]
