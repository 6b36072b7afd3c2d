"""Instances over HTTP: made, shown, changed and taken away, as CloudMC's clients ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from following import ended, error_of

from hosted import hosted
from isobay.model import Instance
from service import SEED, Service, serving

PATH = f"{SEED}/instances"
FIELDS = frozenset(Instance.__struct_encode_fields__)


class Hosted:
    """A service with a host, an ISO that boots and one that does not."""

    def __init__(self, service: Service, image: Path) -> None:
        self.service = service
        self.boots = service.add(image, "boots")
        said = service.client().put(f"{SEED}/isos/{self.boots['id']}", json={"bootable": True})
        assert said.status_code == 200, said.text
        self.data = service.add(image, "data")

    def post(self, path: str, body: object = None) -> dict[str, Any]:
        """Ask for a change; the envelope of its answer."""
        said = self.service.client().post(path, json=body) if body else self.service.client().post(path)
        assert said.status_code == 200, said.text
        return said.json()

    def done(self, path: str, body: object = None) -> dict[str, Any]:
        """Ask for a change, and wait until it is made; the instance then."""
        said = self.post(path, body)
        task = ended(self.service, said["taskId"])
        assert task["taskStatus"] == "SUCCESS", task
        return self.service.get(f"{PATH}/{said['data']['id']}")

    def new(self, name: str, **fields: object) -> dict[str, Any]:
        """Make an instance; the instance when it runs."""
        return self.done(PATH, {"name": name, "isoId": self.boots["id"], "memoryInMB": 64, "cpuCount": 1, **fields})


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, small_image: Path) -> Iterator[Hosted]:
    """Run a service over a host in memory."""
    with hosted(tmp_path_factory.mktemp("data")) as running:
        yield Hosted(running, small_image)


@pytest.fixture(scope="module")
def hostless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service whose zones have no host."""
    with serving(tmp_path_factory.mktemp("data"), ISOBAY_LIBVIRT="off") as running:
        yield running


def test_an_instance_is_made_from_an_iso_and_runs(here: Hosted):
    """At once there are the task and the instance; at its end it runs, with all that was asked for."""
    body = {"name": "first", "isoId": here.boots["id"], "cpuCount": 2, "memoryInMB": 256, "rootVolumeSizeInGb": 3}
    said = here.post(PATH, body)
    assert said.keys() == {"taskId", "taskStatus", "data"}
    assert said["data"].keys() == FIELDS
    task = ended(here.service, said["taskId"])
    assert (task["taskStatus"], task["result"]["id"]) == ("SUCCESS", said["data"]["id"])
    shown = here.service.get(f"{PATH}/{said['data']['id']}")
    assert shown["state"] == "Running"
    assert {name: shown[name] for name in ("name", "cpuCount", "memoryInMB", "rootVolumeSizeInGb")} == {
        name: body[name] for name in ("name", "cpuCount", "memoryInMB", "rootVolumeSizeInGb")
    }
    assert (shown["imageId"], shown["imageName"]) == (here.boots["id"], "boots")
    assert (shown["isoId"], shown["isoName"]) == (here.boots["id"], "boots")
    assert shown["isos"] == [{"slot": 0, "isoId": here.boots["id"], "isoName": "boots"}]
    assert shown["macAddress"].startswith("52:54:00:")


def test_a_list_is_paged_sorted_filtered_and_searched(here: Hosted):
    """By any field, those that only the host knows among them."""
    for name in ("list-b", "list-a"):
        here.new(name)
    off = here.new("list-off")
    here.done(f"{PATH}/{off['id']}?operation=stop")
    said = here.service.client().get(PATH, params={"search": "list-", "sort_by": "name", "page_size": 2}).json()
    assert [each["name"] for each in said["data"]] == ["list-a", "list-b"]
    assert said["metadata"]["recordCount"] == 3
    stopped = here.service.get(PATH, search="list-", state="Stopped")
    assert [each["name"] for each in stopped] == ["list-off"]
    assert error_of(here.service.client().get(PATH, params={"colour": "red"})) == (400, 2001)


def test_what_cloudmcs_go_client_sends_is_taken(here: Hosted):
    """It calls the ISO a template, and sends a recovery point that asks for nothing; to destroy it has a body."""
    offering = next(each for each in here.service.get(f"{SEED}/computeofferings") if not each["custom"])
    body = {
        "name": "go",
        "templateId": here.boots["id"],
        "computeOfferingId": offering["id"],
        "recoveryPoint": {},
        "portsToForward": [],
    }
    made = here.done(PATH, body)
    assert (made["computeOfferingId"], made["cpuCount"]) == (offering["id"], offering["cpuCount"])
    options = {"purgeImmediately": True, "deleteSnapshots": True, "publicIpIdsToRelease": []}
    said = here.service.client().request("DELETE", f"{PATH}/{made['id']}", json=options)
    assert ended(here.service, said.json()["taskId"])["taskStatus"] == "SUCCESS"
    assert here.service.client().get(f"{PATH}/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "bad"),
    [
        ({}, {"name"}),
        (
            {"name": "", "cpuCount": 0, "memoryInMB": 1, "rootVolumeSizeInGb": 0},
            {"name", "cpuCount", "memoryInMB", "rootVolumeSizeInGb"},
        ),
        ({"name": "x", "firmware": "bios-uefi", "additionalIsoIds": ["a"] * 4}, {"firmware", "additionalIsoIds"}),
        (
            {"name": "x", "sshKeyName": "mine", "userData": "#!/bin/sh", "colour": 1},
            {"sshKeyName", "userData", "colour"},
        ),
        ({"name": "x"}, {"isoId"}),
        ([], {"body"}),
    ],
    ids=["nothing", "numbers", "choices", "foreign", "no ISO", "no object"],
)
def test_wrong_fields_are_named_and_nothing_is_made(here: Hosted, body: Any, bad: set[str]):
    """A 400 with all of them; those of CloudMC's that isobay has nothing for are said to be so."""
    before = len(here.service.get(PATH))
    said = here.service.client().post(PATH, json=body)
    assert error_of(said) == (400, 2001)
    named = said.json()["errors"][0]["context"]["fields"]
    assert named.keys() == bad
    assert {name for name, problem in named.items() if "CloudMC" in problem} == bad & {"sshKeyName", "userData"}
    assert len(here.service.get(PATH)) == before


@pytest.mark.parametrize("value", ["efi", 3], ids=["unknown", "number"])
def test_a_value_that_is_none_of_a_few_is_told_which_there_are(here: Hosted, value: object):
    """Whatever is given as firmware instead, the answer lists what there is."""
    said = here.service.client().post(PATH, json={"name": "x", "isoId": here.boots["id"], "firmware": value})
    assert said.json()["errors"][0]["context"]["fields"] == {"firmware": "must be one of bios, uefi, uefi-secure"}


def test_what_an_instance_refers_to_must_be_there_and_boot(here: Hosted):
    """No such ISO: 404; one that does not boot: 409, and it says so."""
    said = here.service.client().post(PATH, json={"name": "x", "isoId": "none"})
    assert error_of(said) == (404, 4001)
    said = here.service.client().post(PATH, json={"name": "x", "isoId": here.data["id"]})
    assert error_of(said) == (409, 2012)
    assert "boot" in said.json()["errors"][0]["message"]


def test_its_power_is_what_was_asked_for(here: Hosted):
    """Stopped by its button and by force, started, rebooted; what its state does not allow is refused."""
    path = f"{PATH}/{here.new('power')['id']}"
    assert error_of(here.service.client().post(f"{path}?operation=start")) == (409, 2012)
    assert here.done(f"{path}?operation=stop")["state"] == "Stopped"
    assert error_of(here.service.client().post(f"{path}?operation=reboot")) == (409, 2012)
    assert here.done(f"{path}?operation=start")["state"] == "Running"
    assert here.done(f"{path}?operation=reboot")["state"] == "Running"
    assert here.done(f"{path}?operation=stop", {"forceStop": True})["state"] == "Stopped"
    said = here.service.client().post(f"{path}?operation=stop", json={"forceStop": "yes"})
    assert said.json()["errors"][0]["context"]["fields"].keys() == {"forceStop"}
    said = here.service.client().post(f"{path}?operation=explode")
    assert error_of(said) == (400, 2002)
    assert {"start", "attachIso", "getConsole"} <= {*said.json()["errors"][0]["context"]["operations"]}


def test_isos_go_into_drives_and_out_of_them(here: Hosted):
    """Both of CloudMC's calls mean the first drive, and ``slot`` any; what is in a drive cannot be deleted."""
    made = here.new("drives", additionalIsoIds=[here.data["id"]])
    path = f"{PATH}/{made['id']}"
    assert [(each["slot"], each["isoName"]) for each in made["isos"]] == [(0, "boots"), (1, "data")]
    after = here.done(f"{path}?operation=attachIso", {"isoId": here.data["id"]})
    assert (after["isoId"], after["isos"][0]["isoName"]) == (here.data["id"], "data")
    after = here.done(f"{SEED}/isos/{here.boots['id']}?operation=attach", {"instanceId": made["id"], "slot": 3})
    assert [(each["slot"], each["isoName"]) for each in after["isos"]] == [(0, "data"), (1, "data"), (3, "boots")]
    said = here.service.client().delete(f"{SEED}/isos/{here.data['id']}")
    assert error_of(said) == (400, 2018)
    assert made["id"] in repr(said.json()["errors"][0]["context"])
    after = here.done(f"{path}?operation=detachIso")
    assert (after["isoId"], [each["slot"] for each in after["isos"]]) == ("", [1, 3])
    after = here.done(f"{path}?operation=detachIso", {"slot": 3})
    assert [each["slot"] for each in after["isos"]] == [1]
    for body in ({"isoId": here.data["id"], "slot": 4}, {"slot": 0}, {"isoId": 5}):
        assert error_of(here.service.client().post(f"{path}?operation=attachIso", json=body)) == (400, 2001)


def test_a_destroyed_one_is_recovered_or_purged(here: Hosted):
    """Until it is purged it is there, and says so; then it is not."""
    path = f"{PATH}/{here.new('mortal')['id']}"

    def destroyed(query: str = "") -> None:
        said = here.service.client().delete(f"{path}{query}")
        assert ended(here.service, said.json()["taskId"])["taskStatus"] == "SUCCESS"

    assert error_of(here.service.client().post(f"{path}?operation=purge")) == (409, 2012)
    destroyed()
    assert here.service.get(path)["state"] == "Destroyed"
    assert error_of(here.service.client().post(f"{path}?operation=start")) == (409, 2012)
    assert here.done(f"{path}?operation=recover")["state"] == "Stopped"
    assert error_of(here.service.client().delete(f"{path}?purgeImmediately=perhaps")) == (400, 2001)
    destroyed("?purgeImmediately=true")
    assert here.service.client().get(path).status_code == 404
    path = f"{PATH}/{here.new('mortal too')['id']}"
    destroyed()
    said = here.post(f"{path}?operation=purge")
    assert ended(here.service, said["taskId"])["taskStatus"] == "SUCCESS"
    assert here.service.client().get(path).status_code == 404


def test_an_instance_can_be_renamed(here: Hosted):
    """At once, without a task; nothing else of it can be changed so."""
    made = here.new("before")
    said = here.service.client().put(f"{PATH}/{made['id']}", json={"name": "after"})
    assert (said.status_code, said.json().keys(), said.json()["data"]["name"]) == (200, {"data"}, "after")
    said = here.service.client().put(f"{PATH}/{made['id']}", json={"cpuCount": 4})
    assert error_of(said) == (400, 2001)


def test_a_screenshot_is_a_picture_that_nobody_keeps(here: Hosted):
    """PNG, as it is now; of one that does not run there is none."""
    made = here.new("shown")
    said = here.service.client().get(f"{PATH}/{made['id']}/screenshot")
    assert (said.status_code, said.headers["content-type"], said.headers["cache-control"]) == (
        200,
        "image/png",
        "no-store",
    )
    assert said.content.startswith(b"\x89PNG\r\n\x1a\n")
    here.done(f"{PATH}/{made['id']}?operation=stop", {"forceStop": True})
    assert error_of(here.service.client().get(f"{PATH}/{made['id']}/screenshot")) == (409, 2012)


def test_every_change_is_in_the_log(here: Hosted):
    """With the instance's id and name, and what there was to say; a refused one with its code."""
    made = here.new("logged")
    path = f"{PATH}/{made['id']}"
    here.done(f"{path}?operation=attachIso", {"isoId": here.data["id"], "slot": 2})
    here.done(f"{path}?operation=stop", {"forceStop": True})
    here.service.client().post(f"{path}?operation=reboot")
    here.post(f"{path}?operation=start")
    entries = here.service.get("/v1/activity_log", objectId=made["id"], page_size=10)
    assert [(each["operation"], each["result"]) for each in reversed(entries)] == [
        ("instance.create", "SUCCESS"),
        ("instance.attach", "SUCCESS"),
        ("instance.stop", "SUCCESS"),
        ("instance.reboot", "2012"),
        ("instance.start", "SUCCESS"),
    ]
    assert entries[3]["details"] == {"iso": here.data["id"], "slot": 2}
    assert {each["objectName"] for each in entries if each["result"] == "SUCCESS"} == {"logged"}


def test_offerings_are_listed_and_found_by_their_ids(here: Hosted):
    """One is custom, and the others have a size."""
    found = here.service.get(f"{SEED}/ComputeOfferings")
    assert [each["custom"] for each in found].count(True) == 1
    assert all(each["cpuCount"] and each["memoryInMB"] for each in found if not each["custom"])
    for each in found:
        assert here.service.get(f"{SEED}/computeofferings/{each['id']}") == each


def test_without_a_host_only_instances_are_refused(hostless: Service, small_image: Path):
    """503 with what to do, for all that needs a host; the shelf works."""
    iso = hostless.add(small_image)
    hostless.client().put(f"{SEED}/isos/{iso['id']}", json={"bootable": True})
    answers = [
        hostless.client().get(PATH),
        hostless.client().post(PATH, json={"name": "x", "isoId": iso["id"]}),
    ]
    for said in answers:
        assert error_of(said) == (503, 5002)
        assert "ISOBAY_LIBVIRT" in said.json()["errors"][0]["message"]
    assert hostless.client().get(f"{SEED}/isos").status_code == 200
