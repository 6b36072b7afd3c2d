"""Importing an ISO from a URL: asked for, refused, brought, retried and deleted."""

from __future__ import annotations

import hashlib
import socket

import pytest
from following import begin, ended, error_of

from isobay.model import Zone
from service import SEED

PATH = f"{SEED}/isos"
NEW = {"name": "new", "description": "", "url": "https://example.org/a.iso"}


def test_an_import_ends_ready_with_all_that_the_same_file_has(importing, source, small_image):
    """The record is the one that ``isobay add`` makes, and the digest is that of the bytes."""
    iso, task_id = begin(importing, source.url("/small.iso"))
    assert (iso["status"], iso["ready"], iso["name"], iso["sourceUrl"]) == (
        "importing",
        False,
        "imported",
        source.url("/small.iso"),
    )
    task = ended(importing, task_id)
    assert (task["taskStatus"], task["result"]["id"]) == ("SUCCESS", iso["id"])
    after = importing.get(f"{PATH}/{iso['id']}")
    assert after["checksums"] == {"sha256": hashlib.sha256(small_image.read_bytes()).hexdigest()}
    added = importing.add(small_image)
    own = {"id", "name", "description", "created", "updated", "sourceUrl"}
    assert {**after, **dict.fromkeys(own)} == {**added, **dict.fromkeys(own)}
    content = importing.client().get(f"{PATH}/{iso['id']}/files/content", params={"path": "/readme.txt"})
    assert content.text == "hello\n"


def test_what_was_said_wins_and_a_contradiction_is_told(importing, source):
    """``bootable`` and the OS type stay as they were given; ``statusMessage`` says that the image differs."""
    os_type = next(each for each in importing.get(f"{SEED}/ostypes") if each["osId"].endswith("/debian/11"))
    iso, task_id = begin(importing, source.url("/small.iso"), bootable=True, osTypeId=os_type["id"])
    ended(importing, task_id)
    after = importing.get(f"{PATH}/{iso['id']}")
    assert (after["ready"], after["bootable"], after["osTypeName"]) == (True, True, os_type["name"])
    assert "boot" in after["statusMessage"]


def test_a_checksum_that_is_wrong_fails_the_import_and_says_so(importing, source):
    """The task is FAILED with the code, the ISO failed with the sentence."""
    iso, task_id = begin(importing, source.url("/small.iso"), checksum="sha256:" + "0" * 64)
    task = ended(importing, task_id)
    assert (task["taskStatus"], task["errors"][0]["code"], task["result"]) == ("FAILED", 2106, None)
    after = importing.get(f"{PATH}/{iso['id']}")
    assert (after["status"], after["ready"], after["statusMessage"]) == ("failed", False, task["errors"][0]["message"])


def test_a_login_in_a_url_comes_out_of_no_answer(importing, source):
    """Not of the ISO, the list, the task, or the log."""
    iso, task_id = begin(importing, source.url("/small.iso").replace("//", "//somebody:a-secret-word@"))
    answers = [ended(importing, task_id), importing.get(f"{PATH}/{iso['id']}"), importing.get(PATH)]
    log = importing.get("/v1/activity_log", page_size=1)
    assert (log[0]["operation"], log[0]["objectId"]) == ("iso.import", iso["id"])
    assert log[0]["details"] == {"url": source.url("/small.iso")}
    assert "a-secret-word" not in repr([iso, answers, log])


@pytest.mark.parametrize(
    ("body", "bad"),
    [
        ({}, {"name", "description", "url"}),
        ({**NEW, "name": ""}, {"name"}),
        ({**NEW, "url": "ftp://example.org/a.iso", "checksum": "sha256:12"}, {"url", "checksum"}),
        ({**NEW, "url": "file:///etc/passwd"}, {"url"}),
        ({**NEW, "url": 3, "bootable": "yes", "nonsense": 1}, {"url", "bootable", "nonsense"}),
        ({**NEW, "signatureUrl": "https://example.org/a.sig"}, {"signatureUrl"}),
        ([], {"body"}),
    ],
)
def test_wrong_fields_are_named_and_nothing_is_made(waiting, body, bad):
    """A 400 with all of them, and no ISO."""
    said = waiting.client().post(PATH, json=body)
    assert error_of(said) == (400, 2001)
    assert said.json()["errors"][0]["context"]["fields"].keys() == bad
    assert waiting.get(PATH) == []


@pytest.mark.parametrize("field", ["url", "checksumUrl"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "169.254.169.254"]
)
def test_an_address_that_may_not_be_fetched_from_is_refused_at_once(waiting, host, field):
    """403 with the code of the guard, and nobody is dialled."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://{host}:{listener.getsockname()[1]}/a.iso"
        said = waiting.client().post(PATH, json={**NEW, field: url})
        assert error_of(said) == (403, 2105)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert waiting.get(PATH) == []


@pytest.mark.parametrize("field", ["osTypeId", "zoneId"])
def test_what_an_import_refers_to_must_be_there(waiting, field):
    """404 that names it, and no ISO."""
    said = waiting.client().post(PATH, json={**NEW, field: "none such"})
    assert (error_of(said), said.json()["errors"][0]["context"]["id"]) == ((404, 4001), "none such")
    assert waiting.get(PATH) == []


def test_where_there_are_several_zones_one_must_be_chosen(waiting):
    """``zoneId`` is required then, and the ISO is in that zone."""
    connection = {"name": "zoned", "serviceCode": "zoned-on", "type": "local"}
    made = waiting.client().post("/v1/services/connections", json=connection).json()["data"]
    area = {"name": "zoned_area", "serviceConnection": {"id": made["id"]}}
    assert waiting.client().post("/v1/environments", json=area).status_code == 200
    catalog = waiting.behind.catalog
    with catalog.writing() as tx:
        catalog.connections.add_zone(tx, made["id"], Zone("zone-2", "second"))
    path = "/v1/services/zoned-on/zoned_area"
    said = waiting.client().post(f"{path}/isos", json=NEW)
    assert (error_of(said), said.json()["errors"][0]["context"]["fields"].keys()) == ((400, 2001), {"zoneId"})
    iso = waiting.client().post(f"{path}/isos", json={**NEW, "zoneId": "zone-2"}).json()["data"]
    assert (iso["zoneId"], iso["zoneName"], iso["availableInZones"]) == ("zone-2", "second", ["zone-2"])


@pytest.mark.parametrize("tail", ["", "?operation=inspectUrl", "/x?operation=retry"])
def test_who_may_import(waiting, tail):
    """No key 401, a viewer 403, a foreign environment 404 like one that is not there."""
    own = waiting.new_environment(f"own_{len(tail)}")
    waiting.new_environment(f"foreign_{len(tail)}")
    assert waiting.client("").post(f"{PATH}{tail}", json=NEW).status_code == 401
    viewer, editor = (waiting.client(waiting.new_key(role, own)) for role in ("viewer", "editor"))
    here = f"/v1/services/compute-on/own_{len(tail)}/isos{tail}"
    assert error_of(viewer.post(here, json=NEW)) == (403, 3002)
    there = editor.post(here.replace("own_", "foreign_"), json=NEW)
    assert error_of(there) == (404, 4001)
    assert there.text.replace("foreign_", "nowhere_") == editor.post(here.replace("own_", "nowhere_"), json=NEW).text


def test_a_failed_import_is_retried_until_it_is_there(importing, source, tmp_path, small_image):
    """A file that was missing at first: a new task for the same ISO. What is ready cannot be retried."""
    iso, first = begin(importing, source.url("/late.iso"))
    assert ended(importing, first)["errors"][0]["code"] == 2104
    assert importing.get(f"{PATH}/{iso['id']}")["status"] == "failed"
    (tmp_path / "www" / "late.iso").write_bytes(small_image.read_bytes())
    said = importing.client().post(f"{PATH}/{iso['id']}?operation=retry").json()
    assert (said["data"]["id"], said["data"]["status"], said["taskStatus"]) == (iso["id"], "importing", "PENDING")
    assert said["taskId"] != first
    assert ended(importing, said["taskId"])["taskStatus"] == "SUCCESS"
    assert importing.get(f"{PATH}/{iso['id']}")["ready"] is True
    log = importing.get("/v1/activity_log", page_size=1)[0]
    assert (log["operation"], log["objectId"]) == ("iso.retry", iso["id"])
    assert error_of(importing.client().post(f"{PATH}/{iso['id']}?operation=retry")) == (409, 2012)


@pytest.mark.parametrize(
    ("tail", "operations"),
    [
        ("?operation=none", ["inspectUrl"]),
        ("/x", ["retry", "prove", "generateDownloadUrl", "attach"]),
        ("/x?operation=RETRY", ["retry", "prove", "generateDownloadUrl", "attach"]),
    ],
)
def test_an_operation_that_is_not_there_is_refused_with_those_that_are(waiting, tail, operations):
    """400 with the code for it; with two operations at once it is a wrong field."""
    said = waiting.client().post(f"{PATH}{tail}", json=NEW)
    assert (error_of(said), said.json()["errors"][0]["context"]) == ((400, 2002), {"operations": operations})
    assert waiting.client("").post(f"{PATH}{tail}", json=NEW).status_code == 401
    twice = waiting.client().post(f"{PATH}/x?operation=retry&operation=retry")
    assert (error_of(twice), twice.json()["errors"][0]["context"]["fields"].keys()) == ((400, 2001), {"operation"})


def test_deleting_an_iso_that_arrives_ends_its_task(importing, stalling):
    """The task is FAILED at once, with the code for what was cancelled; the ISO is gone and so are its bytes."""
    held = set(importing.behind.settings.objects_dir.glob("??/*"))
    iso, task_id = begin(importing, stalling.url("/stalls.iso"))
    assert stalling.pages["/stalls.iso"].stalled.wait(30)
    assert importing.client().delete(f"{PATH}/{iso['id']}").json()["taskStatus"] == "SUCCESS"
    task = importing.client().get(f"/v1/tasks/{task_id}").json()
    assert (task["taskStatus"], task["errors"][0]["code"]) == ("FAILED", 2015)
    assert importing.client().get(f"{PATH}/{iso['id']}").status_code == 404
    assert set(importing.behind.settings.objects_dir.glob("??/*")) == held


def test_the_doctor_looks_at_a_url_and_keeps_nothing(importing, source, small_image):
    """It says what is there, from a body that names the URL alone or all that an import takes."""
    before = importing.get(PATH)
    for body in ({"url": source.url("/small.iso")}, {**NEW, "url": source.url("/small.iso"), "bootable": True}):
        answer = importing.client().post(f"{PATH}?operation=inspectUrl", json=body)
        assert answer.status_code == 200, answer.text
        said = answer.json()["data"]
        assert (said["importable"], said["size"], said["status"]) == (True, small_image.stat().st_size, 206)
        assert said["report"]["volumeLabel"] == "SMALL"
    refused = importing.client().post(f"{PATH}?operation=inspectUrl", json={"URL": "x"})
    assert refused.json()["errors"][0]["context"]["fields"].keys() == {"url", "URL"}
    assert importing.get(PATH) == before


def test_the_doctor_tells_what_stands_in_the_way(waiting):
    """An address that may not be fetched from is a finding, not a failure."""
    said = waiting.client().post(f"{PATH}?operation=inspectUrl", json={"url": "http://127.0.0.1/a.iso"}).json()["data"]
    assert said["importable"] is False
    assert ("address", "problem") in {(each["subject"], each["verdict"]) for each in said["findings"]}
