"""Editing and deleting ISOs, environments and connections; tasks and the log of it."""

from __future__ import annotations

import os

import pytest

from images import image
from service import SEED, Service

PATH = f"{SEED}/isos"


@pytest.fixture
def iso(service: Service, small_image) -> dict:
    """An ISO of its own for each test."""
    return service.add(small_image, "subject")


def test_what_is_edited_is_told_and_the_rest_stays(service, iso):
    """Name, description, flags and OS type change; everything else is as it was."""
    os_type = next(each for each in service.get(f"{SEED}/ostypes") if each["osId"].endswith("/debian/11"))
    edit = {"name": "renamed", "description": "new words", "extractable": True, "osTypeId": os_type["id"]}
    said = service.client().put(f"{PATH}/{iso['id']}", json=edit)
    assert said.status_code == 200, said.text
    after = service.get(f"{PATH}/{iso['id']}")
    assert said.json()["data"] == after
    assert after["updated"] > iso["updated"]
    assert after == {**iso, **edit, "osTypeName": os_type["name"], "updated": after["updated"]}


@pytest.mark.parametrize(
    ("body", "bad"),
    [
        (b"{", {"body"}),
        (b"[]", {"body"}),
        (b'"' + b"[" * 100_000, {"body"}),
        (b"[" * 100_000, {"body"}),
        (b'{"name": 3, "bootable": "yes", "nonsense": 1}', {"name", "bootable", "nonsense"}),
        (b'{"name": ""}', {"name"}),
        (b'{"name": "a\\u0000b"}', {"name"}),
        (b'{"name": "a\\n"}', {"name"}),
        (b'{"size": 5}', {"size"}),
        (b'{"visibility": "public", "availablePublicly": false}', {"visibility"}),
        (b'{"name": "\xff"}', {"body"}),
    ],
)
def test_a_bad_edit_names_every_bad_field_and_changes_nothing(service, iso, body, bad):
    """A 400, and the ISO as it was."""
    headers = {"Content-Type": "application/json"}
    said = service.client().put(f"{PATH}/{iso['id']}", content=body, headers=headers)
    assert said.status_code == 400
    assert said.json()["errors"][0]["context"]["fields"].keys() == bad
    assert service.get(f"{PATH}/{iso['id']}") == iso


def test_what_an_edit_refers_to_must_be_there(service, iso):
    """An OS type that is not in the rules is a 404 that names it, and nothing changes."""
    said = service.client().put(f"{PATH}/{iso['id']}", json={"osTypeId": "none such", "name": "other"})
    assert (said.status_code, said.json()["errors"][0]["context"]) == (404, {"type": "ostypes", "id": "none such"})
    assert service.get(f"{PATH}/{iso['id']}") == iso


def test_a_deleted_iso_is_gone_with_its_bytes_and_its_task_says_so(service, tmp_path):
    """The task is in both clients' shapes: the JavaScript one's and the Go one's."""
    # Equal images share their bytes, so this one has to be like no other.
    iso = service.add(image(tmp_path / "alone.iso", {"alone": os.urandom(16)}), "subject")
    held = set(service.behind.settings.objects_dir.glob("??/*.iso"))
    said = service.client().delete(f"{PATH}/{iso['id']}").json()
    assert said == {"taskId": said["taskId"], "taskStatus": "SUCCESS"}
    assert service.client().get(f"{PATH}/{iso['id']}").status_code == 404
    assert len(held) - len(set(service.behind.settings.objects_dir.glob("??/*.iso"))) == 1
    task = service.client().get(f"/v1/tasks/{said['taskId']}").json()
    assert (task["taskId"], task["taskStatus"]) == (said["taskId"], "SUCCESS")
    assert task["data"].keys() == {"id", "status", "created", "result"}
    assert task["data"]["id"] == said["taskId"]
    assert task["result"] == task["data"]["result"] == {"id": iso["id"], "name": "subject"}
    assert (task["progress"], task["bytesDone"], task["bytesTotal"]) == (1.0, iso["size"], iso["size"])


def test_changes_are_in_the_log_newest_first(service, iso):
    """Who, what, where and to which object."""
    service.client().put(f"{PATH}/{iso['id']}", json={"name": "logged"})
    service.client().delete(f"{PATH}/{iso['id']}")
    entries = service.client().get("/v1/activity_log", params={"page_size": 2}).json()["data"]
    assert [entry["operation"] for entry in entries] == ["iso.delete", "iso.edit"]
    assert entries[1]["details"] == {"changed": ["name"]}
    assert {(entry["objectId"], entry["objectName"], entry["keyName"]) for entry in entries} == {
        (iso["id"], "logged", "first administrator")
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [("environments", {}), ("services/connections", {"serviceCode": "lab", "type": "local"})],
)
def test_no_name_ends_with_a_line(service, path, body):
    """A line's end after a good name is refused as one within it."""
    said = service.client().post(f"/v1/{path}", json={**body, "name": "lab\n"})
    assert said.status_code == 400, said.text
    assert said.json()["errors"][0]["context"]["fields"].keys() == {"name"}


def test_an_environment_lives_and_dies(service, small_image):
    """Made, renamed, refused while it holds an ISO, deleted when empty; names are unique and plain."""
    client = service.client()
    made = service.new_environment("short_lived")
    assert client.post("/v1/environments", json={"name": "short_lived"}).status_code == 409
    assert client.post("/v1/environments", json={"name": "Not Plain"}).status_code == 400
    renamed = client.put(f"/v1/environments/{made}", json={"name": "renamed_area"}).json()["data"]
    assert (renamed["id"], renamed["name"], renamed["membership"]) == (made, "renamed_area", "MANY_USERS")
    changed = client.put(f"/v1/environments/{made}", json={"membership": "ALL_ORG_USERS"}).json()["data"]
    assert changed == {**renamed, "membership": "ALL_ORG_USERS"}
    iso = service.add(small_image, "inside", "renamed_area")
    refused = client.delete(f"/v1/environments/{made}")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, 2013)
    client.delete(f"/v1/services/compute-on/renamed_area/isos/{iso['id']}")
    assert client.delete(f"/v1/environments/{made}").status_code == 204
    assert client.get(f"/v1/environments/{made}").status_code == 404


def test_a_connection_is_made_tested_and_never_tells_its_parameters(service):
    """A secret in a parameter comes out of no answer."""
    body = {
        "name": "second",
        "serviceCode": "second-on",
        "type": "local",
        "parameters": [{"parameter": "token", "value": "a-very-secret-value"}],
    }
    client = service.client()
    made = client.post("/v1/services/connections", json=body)
    assert made.status_code == 200, made.text
    connection = made.json()["data"]
    assert connection["status"]["reachable"] is True
    answers = [
        made,
        client.get("/v1/services/connections"),
        client.get(f"/v1/services/connections/{connection['id']}"),
        client.post(f"/v1/services/connections/{connection['id']}/test"),
        client.get("/v1/activity_log"),
    ]
    assert all(said.status_code == 200 and "a-very-secret-value" not in said.text for said in answers)
    assert client.post("/v1/services/connections", json={**body, "type": "unheard"}).status_code == 400
    assert client.post("/v1/services/connections", json=body).json()["errors"][0]["code"] == 2014


def test_public_isos_stay_inside_their_connection(service, small_image):
    """Another connection's environment does not list them."""
    second = {"name": "third", "serviceCode": "third-on", "type": "local"}
    connection = service.client().post("/v1/services/connections", json=second).json()["data"]
    body = {"name": "third_area", "serviceConnection": {"id": connection["id"]}}
    assert service.client().post("/v1/environments", json=body).status_code == 200
    shown = service.add(small_image, "shown to all")
    service.client().put(f"{PATH}/{shown['id']}", json={"availablePublicly": True})
    assert service.get("/v1/services/third-on/third_area/isos") == []
