"""Connections, zones, environments, tasks and the activity log come back as they were given."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from isobay.clock import utc_now
from isobay.model import Activity, ApiKey, Connection, ConnectionStatus, Environment, Listing, Named, Task, Zone

NOW = "2026-01-01T00:00:00.000000Z"


def test_connections_come_back_oldest_first(shelf):
    """A connection is found by id and by service code, its status can be noted, its parameters are not told."""
    connections = shelf.catalog.connections
    with shelf.catalog.writing() as tx:
        connections.set_status(tx, "connection-2", ConnectionStatus(last_updated="later", reachable=False))

    with shelf.catalog.reading() as tx:
        one, two = connections.all(tx)
        assert (connections.get(tx, one.id), connections.by_code(tx, "compute-qc")) == (one, two)
        assert (connections.get(tx, "nowhere"), connections.by_code(tx, "nothing")) == (None, None)
        assert connections.count(tx) == 2

    status = ConnectionStatus(last_updated=NOW, reachable=True)
    assert one == Connection(
        id="connection-1", service_code="compute-on", name="Compute-On", type="local", status=status
    )
    assert two.status == ConnectionStatus(last_updated="later", reachable=False)
    assert b"never read back" not in msgspec.json.encode([one, two])


def test_a_service_code_belongs_to_one_connection(shelf):
    """Two connections never share the code that stands in the path, and a refused one leaves nothing."""
    status = ConnectionStatus(last_updated=NOW, reachable=True)
    again = Connection(id="another", service_code="compute-on", name="", type="local", status=status)
    with pytest.raises(IntegrityError), shelf.catalog.writing() as tx:
        shelf.catalog.connections.add(tx, again, {})

    with shelf.catalog.reading() as tx:
        assert shelf.catalog.connections.count(tx) == 2


def test_zones_belong_to_their_connection(shelf):
    """Zones are listed by name, each connection's its own."""
    connections = shelf.catalog.connections
    with shelf.catalog.writing() as tx:
        for number, name in enumerate(("zone2", "Zone3", "zone1")):
            connections.add_zone(tx, "connection-1", Zone(id=f"zone-{number}", name=name))
        connections.add_zone(tx, "connection-2", Zone(id="zone-9", name="zone1"))

    with shelf.catalog.reading() as tx:
        assert [zone.name for zone in connections.zones(tx, "connection-1")] == ["Zone3", "zone1", "zone2"]
        assert connections.zones(tx, "connection-2") == [Zone(id="zone-9", name="zone1")]
        assert connections.zones(tx, "nowhere") == []


def test_environments_come_back_as_they_were_given(shelf):
    """An environment is listed, got, chosen by id and edited; its name is taken in its connection only."""
    environments = shelf.catalog.environments
    edited = Environment(
        id="environment-1",
        name="renamed",
        description="Ünïcode",
        service_connection=Named("connection-1", "Compute-On"),
        membership="ALL_ORG_USERS",
        creation_date=NOW,
    )
    with shelf.catalog.writing() as tx:
        environments.update(tx, edited)

    with shelf.catalog.reading() as tx:
        assert environments.get(tx, "environment-1") == edited
        assert [found.name for found in environments.all(tx)] == ["renamed", "beside", "elsewhere"]
        assert [found.name for found in environments.all(tx, ["environment-3", "nowhere"])] == ["elsewhere"]
        assert environments.all(tx, []) == []
        assert environments.get(tx, "nowhere") is None
        assert environments.is_taken(tx, "connection-1", "renamed")
        assert not environments.is_taken(tx, "connection-1", "here")
        assert not environments.is_taken(tx, "connection-2", "renamed")


def test_an_environment_that_holds_isos_stays(shelf):
    """The ISOs of an environment are counted, and it cannot be forgotten before they are gone."""
    environments = shelf.catalog.environments
    private, public = shelf.add("beside"), shelf.add("beside", visibility="public")
    with shelf.catalog.reading() as tx:
        assert environments.iso_count(tx, "environment-2") == 2
    with pytest.raises(IntegrityError), shelf.catalog.writing() as tx:
        environments.delete(tx, "environment-2")
    assert shelf.get(public.id, "here") == public

    shelf.delete(private.id)
    shelf.delete(public.id)
    with shelf.catalog.writing() as tx:
        assert environments.iso_count(tx, "environment-2") == 0
        environments.delete(tx, "environment-2")

    with shelf.catalog.reading() as tx:
        assert environments.get(tx, "environment-2") is None
        assert shelf.catalog.places.named(tx, "beside") == []


def test_an_environments_keys_lose_it_with_it(shelf):
    """Forgetting an environment takes the right to enter it from its keys, and leaves the keys."""
    key = ApiKey(id="key", name="", role="viewer", environments=["environment-1", "environment-2"], created=NOW)
    with shelf.catalog.writing() as tx:
        shelf.catalog.keys.add(tx, key, bytes(16), bytes(16))
        shelf.catalog.environments.delete(tx, "environment-2")

    with shelf.catalog.reading() as tx:
        assert [found.environments for found in shelf.catalog.keys.all(tx)] == [["environment-1"]]


@pytest.mark.parametrize(
    "task",
    [
        Task(id="plain", kind="iso.add", status="PENDING", created=NOW),
        Task(
            id="whole",
            kind="iso.add",
            status="FAILED",
            created=NOW,
            ended="2026-01-01T00:00:01.000000Z",
            environment_id="environment-1",
            progress=0.375,
            message="Ünïcode",
            bytes_done=1 << 40,
            bytes_total=(1 << 63) - 1,
            result={"id": "x", "nested": [1, {"two": None}]},
            errors=[{"code": 2101, "message": "no image"}],
        ),
    ],
)
def test_a_task_comes_back_as_it_was_given(shelf, task):
    """Every field of a task survives, and an unknown id is nothing."""
    with shelf.catalog.writing() as tx:
        shelf.catalog.tasks.add(tx, task)

    with shelf.catalog.reading() as tx:
        assert shelf.catalog.tasks.get(tx, task.id) == task
        assert shelf.catalog.tasks.get(tx, "unknown") is None


def test_tasks_that_ended_long_ago_are_forgotten_when_another_comes(shelf):
    """Those of more than seven days go; what runs, and what ended since, stays."""
    ends = {
        "old": utc_now(-timedelta(days=7, minutes=1)),
        "older": "2025-12-31T00:00:00.000000Z",
        "then": utc_now(-timedelta(days=6, hours=23)),
        "new": utc_now(),
        "runs": "",
    }
    with shelf.catalog.writing() as tx:
        for task_id, ended in ends.items():
            status = "SUCCESS" if ended else "PENDING"
            shelf.catalog.tasks.add(tx, Task(id=task_id, kind="k", status=status, created=NOW, ended=ended))

    with shelf.catalog.reading() as tx:
        left = {task_id for task_id in ends if shelf.catalog.tasks.get(tx, task_id)}
    assert left == {"then", "new", "runs"}


def test_the_log_is_read_newest_first(shelf):
    """Entries come in pages, newest first even within one moment, of all environments or of those asked for."""
    given = [
        Activity(
            id=f"activity-{number}",
            created=f"{NOW[:-2]}{number // 2}Z",
            operation="iso.edit",
            key_id="key",
            key_name="Ünïcode",
            environment_id=f"environment-{number % 2 + 1}",
            object_id="iso",
            object_name="Debian",
            details={"changed": ["name"], "number": number},
            address="192.0.2.1",
            result="2001" if number == 3 else "SUCCESS",
        )
        for number in range(7)
    ]
    with shelf.catalog.writing() as tx:
        for activity in given:
            shelf.catalog.activities.add(tx, activity)

    newest = given[::-1]

    def page(environments: list[str] | None = None, limit: int = 10, offset: int = 0, **filters: str):
        listing = Listing(limit=limit, offset=offset, filters=tuple(filters.items()))
        with shelf.catalog.reading() as tx:
            return shelf.catalog.activities.page(tx, environments, listing)

    assert (page(limit=3).items, page(limit=3).total) == (newest[:3], 7)
    assert page(limit=3, offset=6).items == newest[6:]
    assert page(["environment-2"], offset=1).items == [each for each in newest if "2" in each.environment_id][1:]
    assert page(["environment-2"], limit=1).total == 3
    assert page([]).items == []
    assert page(offset=100).total == 7
    assert page(result="2001").items == [given[3]]
    assert page(since=given[3].created, until=given[5].created).items == given[3:1:-1]
    assert page(object_id="iso", operation="iso.edit", key_id="key", environment_id="environment-1").total == 4
    assert page(["environment-2"], environment_id="environment-1").total == 0
