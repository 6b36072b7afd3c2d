"""The activity log: what was changed and what was refused, by whom, from where, and who sees it."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import pytest

from isobay.clock import utc_now
from isobay.http.application import ENDPOINTS
from service import KEY, SEED, Service, environment, serving

# They change nothing; or are parts of an upload, in the log when it begins and where it is refused.
NOT_CHANGES = {"inspect_url", "test_connection", "continue_upload", "override_upload"}


@pytest.fixture
def area(service: Service) -> tuple[str, str]:
    """Make an environment for a test; its name and id."""
    name = f"area_{uuid4().hex[:8]}"
    return name, service.new_environment(name)


def _log(service: Service, key: str = KEY, **asked: object) -> list[tuple[str, str, str]]:
    entries = service.get("/v1/activity_log", key, page_size=100, **asked)
    return [(entry["operation"], entry["result"], entry["objectId"]) for entry in entries]


def test_every_endpoint_that_changes_something_has_a_name_in_the_log():
    """A refusal is written under that name; what only asks has none."""
    changing = {each.function.__name__ for each in ENDPOINTS if each.method != "GET"}
    named = {each.function.__name__ for each in ENDPOINTS if each.described.activity}
    assert named == changing - NOT_CHANGES


def test_a_change_and_its_refusals_are_told(service, area, small_image):
    """Made, wrong, forbidden and in conflict: each with its result, the object, the key and the address."""
    name, area_id = area
    iso = service.add(small_image, "logged", name)
    viewer = service.new_key("viewer", area_id)
    path = f"/v1/services/compute-on/{name}/isos/{iso['id']}"
    assert service.client().put(path, json={"name": "changed"}).status_code == 200
    assert service.client().put(path, json={"name": "", "a-secret": "a-secret-word"}).status_code == 400
    assert service.client(viewer).put(path, json={"name": "mine"}).status_code == 403
    assert service.client().post(path, params={"operation": "retry"}).status_code == 409
    assert service.client().delete(f"/v1/environments/{area_id}").status_code == 409
    said = service.client().get("/v1/activity_log", params={"environmentId": area_id})
    entries = said.json()["data"]
    assert [(entry["operation"], entry["result"], entry["objectId"]) for entry in entries][:5] == [
        ("environment.delete", "2013", area_id),
        ("iso.retry", "2012", iso["id"]),
        ("iso.edit", "3002", iso["id"]),
        ("iso.edit", "2001", iso["id"]),
        ("iso.edit", "SUCCESS", iso["id"]),
    ]
    assert {entry["address"] for entry in entries} == {"127.0.0.1"}
    assert [entry["keyName"] for entry in entries[:3]] == ["first administrator"] * 2 + ["viewer for tests"]
    assert [entry["details"] for entry in entries[:4]] == [{}] * 4
    assert "a-secret" not in said.text
    assert viewer not in said.text


def test_what_nobody_may_know_of_leaves_no_entry(service, area):
    """An unknown key, and what is not there for a known one."""
    name, area_id = area
    editor = service.new_key("editor", area_id)
    before = _log(service)
    assert service.client("nobody's").delete(f"{SEED}/isos/x").status_code == 401
    assert service.client(editor).delete(f"{SEED}/isos/x").status_code == 404
    assert service.client(editor).delete(f"/v1/services/compute-on/{name}/isos/x").status_code == 404
    assert _log(service) == before


def test_an_entry_is_seen_by_who_may_enter_its_environment(service, area):
    """Another environment's keys do not see it, nor can they write into its log; a key's is its only environment's."""
    name, area_id = area
    other = service.new_environment(f"not_{name}")
    inside, outside = service.new_key("viewer", area_id), service.new_key("owner", other)
    assert service.client(outside).put(f"/v1/environments/{area_id}", json={"description": "mine"}).status_code == 404
    assert service.client(outside).put(f"/v1/environments/{area_id}", json={"name": "NO"}).status_code == 400
    assert service.client(inside).put(f"/v1/environments/{other}", json={"description": "x"}).status_code == 403
    assert [entry[:2] for entry in _log(service, inside)] == [
        ("api_key.create", "SUCCESS"),
        ("environment.create", "SUCCESS"),
    ]
    assert _log(service, inside, environmentId=other) == []
    assert [entry[:2] for entry in _log(service, outside)] == [
        ("api_key.create", "SUCCESS"),
        ("environment.create", "SUCCESS"),
    ]


def test_the_log_is_filtered_and_paged(service, area):
    """By field, and by moments of any time zone; a page says how many there are in all."""
    _, area_id = area
    for number in range(5):
        service.client().put(f"/v1/environments/{area_id}", json={"description": f"{number}"})
    entries = service.get("/v1/activity_log", objectId=area_id)
    assert [entry["operation"] for entry in entries] == ["environment.edit"] * 5 + ["environment.create"]
    third = entries[2]["created"]
    assert service.get("/v1/activity_log", objectId=area_id, since=third) == entries[:3]
    assert service.get("/v1/activity_log", objectId=area_id, until=third) == entries[3:]
    key = entries[0]["keyId"]
    assert len(service.get("/v1/activity_log", objectId=area_id, keyId=key, operation="environment.edit")) == 5
    assert service.get("/v1/activity_log", objectId=area_id, result="2001") == []
    page = service.client().get("/v1/activity_log", params={"objectId": area_id, "page_size": 4, "page_number": 2})
    assert (page.json()["data"], page.json()["metadata"]["recordCount"]) == (entries[4:], 6)
    ahead = utc_now(timedelta(hours=26)).replace("Z", "+23:00")
    assert len(service.get("/v1/activity_log", objectId=area_id, until=ahead)) == 6


@pytest.mark.parametrize(
    "query", ["since=yesterday", "until=2026-01-01T00:00:00", "until=9999-12-31T23:59:59-12:00", "sort_by=operation"]
)
def test_what_the_log_cannot_be_asked_is_refused(service, query):
    """400 that names the parameter."""
    said = service.client().get(f"/v1/activity_log?{query}")
    assert said.status_code == 400
    assert said.json()["errors"][0]["context"]["fields"].keys() == {query.partition("=")[0]}


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        ("", "203.0.113.9", "127.0.0.1"),
        ("192.0.2.0/24", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.0/8, 192.0.2.7", "198.51.100.1, 203.0.113.9, 192.0.2.7", "203.0.113.9"),
        ("127.0.0.1", "x" * 300, "x" * 64),
    ],
)
def test_a_proxy_is_believed_only_if_it_is_trusted(tmp_path, trusted, forwarded, address):
    """The address in the log is the caller's, as far as trusted proxies tell."""
    with serving(tmp_path, ISOBAY_TRUSTED_PROXIES=trusted) as service:
        body = {"name": "behind", "description": ""}
        said = service.client().post("/v1/environments", json=body, headers={"X-Forwarded-For": forwarded})
        assert said.status_code == 200
        assert service.get("/v1/activity_log")[0]["address"] == address


def test_proxies_that_are_no_networks_are_said_at_the_start(tmp_path):
    """Exit code 1 and a sentence that names the variable."""
    options = {"ISOBAY_DATA_DIR": str(tmp_path / "data"), "ISOBAY_TRUSTED_PROXIES": "localhost", "ISOBAY_PORT": "0"}
    command = [sys.executable, "-m", "isobay", "serve"]
    said = subprocess.run(command, env=environment(**options), capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, "ISOBAY_TRUSTED_PROXIES" in said.stderr) == (1, True)
