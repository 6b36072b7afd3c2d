"""Who may do what: every role, on what is its own, another's, public and not there."""

from __future__ import annotations

import pytest

from service import KEY, Service

OWN, FOREIGN = "own_area", "foreign_area"
ROLES = ("viewer", "editor", "owner", "administrator")
RIGHTS = {
    "read": {"viewer", "editor", "owner", "administrator"},
    "write": {"editor", "owner", "administrator"},
    "manage": {"owner", "administrator"},
    "administer": {"administrator"},
}


@pytest.fixture(scope="module")
def world(service: Service, small_image) -> dict:
    """Two environments with ISOs in each, and a key of every role for the first."""
    ids = {name: service.new_environment(name) for name in (OWN, FOREIGN)}
    isos = {
        "own": service.add(small_image, "own", OWN),
        "foreign": service.add(small_image, "foreign", FOREIGN),
        "public": service.add(small_image, "public", FOREIGN),
    }
    path = f"/v1/services/compute-on/{FOREIGN}/isos/{isos['public']['id']}"
    said = service.client().put(path, json={"visibility": "public"})
    assert said.json()["data"]["availablePublicly"] is True
    keys = {role: service.new_key(role, *([] if role == "administrator" else [ids[OWN]])) for role in ROLES}
    return {"ids": ids, "isos": isos, "keys": keys}


@pytest.mark.parametrize("role", ROLES)
def test_an_environments_list_shows_its_own_and_the_public_isos(service, world, role):
    """Never another environment's private ones."""
    seen = {iso["name"] for iso in service.get(f"/v1/services/compute-on/{OWN}/isos", world["keys"][role])}
    assert seen == {"own", "public"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("whose", "method", "right"),
    [
        ("own", "GET", "read"),
        ("own", "PUT", "write"),
        ("public", "GET", "read"),
        ("public", "PUT", None),
        ("public", "DELETE", None),
        ("foreign", "GET", "invisible"),
        ("foreign", "PUT", "invisible"),
        ("foreign", "DELETE", "invisible"),
    ],
)
def test_what_a_role_may_do_to_an_iso(service, world, role, whose, method, right):
    """Own by right, another's public one to look at, another's private one not there at all."""
    path = f"/v1/services/compute-on/{OWN}/isos/{world['isos'][whose]['id']}"
    body = {"description": f"by {role}"} if method == "PUT" else None
    said = service.client(world["keys"][role]).request(method, path, json=body)
    needed = RIGHTS["read" if method == "GET" else "write"]
    if role not in needed:
        expected = 403
    elif right == "invisible":
        expected = 404
    else:
        expected = 403 if right is None else 200
    assert said.status_code == expected, said.text


@pytest.mark.parametrize("role", ROLES[:3])
def test_a_foreign_environment_answers_like_a_missing_one(service, world, role):
    """The same status and the same words, whatever is asked of it."""
    client = service.client(world["keys"][role])
    for method, tail in (
        ("GET", "isos"),
        ("GET", f"isos/{world['isos']['foreign']['id']}"),
        ("DELETE", "isos/x"),
        ("GET", "zones"),
    ):
        foreign = client.request(method, f"/v1/services/compute-on/{FOREIGN}/{tail}")
        missing = client.request(method, f"/v1/services/compute-on/nowhere_area/{tail}")
        assert foreign.status_code == missing.status_code == 404
        assert foreign.text.replace(FOREIGN, "nowhere_area") == missing.text
    foreign_iso = client.get(f"/v1/services/compute-on/{OWN}/isos/{world['isos']['foreign']['id']}")
    missing_iso = client.get(f"/v1/services/compute-on/{OWN}/isos/{world['ids'][OWN]}")
    assert foreign_iso.text.replace(world["isos"]["foreign"]["id"], world["ids"][OWN]) == missing_iso.text


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("method", "path", "body", "right"),
    [
        ("GET", "/v1/environments", None, "read"),
        ("POST", "/v1/environments", {"name": "x", "description": 3}, "administer"),
        ("PUT", "/v1/environments/{own}", {"description": "changed"}, "manage"),
        ("POST", "/v1/services/connections", {"name": 1}, "administer"),
        ("GET", "/v1/services/connections", None, "read"),
        ("POST", "/v1/api_keys", {"name": "k", "role": "viewer", "environments": ["{own}"]}, "manage"),
        ("POST", "/v1/api_keys", {"name": "k", "role": "administrator"}, "administer"),
        ("GET", "/v1/activity_log", None, "read"),
        ("GET", "/v1/roles", None, "read"),
    ],
)
def test_what_a_role_may_administer(service, world, role, method, path, body, right):
    """403 without the right; with it, the answer or the complaint about the body."""
    own = world["ids"][OWN]
    if body and "environments" in body:
        body = {**body, "environments": [own]}
    said = service.client(world["keys"][role]).request(method, path.replace("{own}", own), json=body)
    assert (said.status_code == 403) == (role not in RIGHTS[right]), said.text
    assert said.status_code in (200, 400, 403)


def test_an_owner_makes_keys_for_own_environments_alone(service, world):
    """Another's environment is as if it were not there, and administrators' keys stay out of sight."""
    client = service.client(world["keys"]["owner"])
    body = {"name": "k", "role": "viewer", "environments": [world["ids"][FOREIGN]]}
    assert client.post("/v1/api_keys", json=body).status_code == 404
    listed = client.get("/v1/api_keys").json()["data"]
    assert {"viewer", "editor", "owner"} >= {key["role"] for key in listed}
    assert all("apiKey" not in key for key in listed)
    administrator = next(key for key in service.get("/v1/api_keys") if key["role"] == "administrator")
    assert client.delete(f"/v1/api_keys/{administrator['id']}").status_code == 404


def test_a_key_taken_back_opens_nothing_any_more(service, world):
    """From the next request on, in every process."""
    secret = service.new_key("viewer", world["ids"][OWN])
    path = f"/v1/services/compute-on/{OWN}/isos"
    assert service.client(secret).get(path).status_code == 200
    newest = max(service.get("/v1/api_keys"), key=lambda key: key["created"])
    assert service.client().delete(f"/v1/api_keys/{newest['id']}").status_code == 204
    assert service.client(secret).get(path).status_code == 401


@pytest.mark.parametrize("key", ["", "nobody's", "x" * 300, "k\u00e9y"])
@pytest.mark.usefixtures("world")
def test_without_a_known_key_nothing_is_told(service, key):
    """401, for what exists and what does not alike, with a hint of what to send."""
    headers = {"MC-Api-Key": key.encode()} if key else {}
    answers = [
        service.client("").get(path, headers=headers)
        for path in (
            f"/v1/services/compute-on/{OWN}/isos",
            "/v1/services/none/none/isos",
            "/v1/environments",
            "/v1/tasks/x",
        )
    ]
    assert [said.status_code for said in answers] == [401] * 4
    assert len({said.text for said in answers}) == 1
    assert "MC-Api-Key" in answers[0].headers["www-authenticate"]


@pytest.mark.usefixtures("world")
def test_the_last_administrators_key_cannot_be_deleted(service):
    """Nobody could come in any more."""
    keys = [key for key in service.get("/v1/api_keys") if key["role"] == "administrator"]
    first = next(key for key in keys if key["name"] == "first administrator")
    for key in keys:
        if key is not first:
            assert service.client(KEY).delete(f"/v1/api_keys/{key['id']}").status_code == 204
    said = service.client(KEY).delete(f"/v1/api_keys/{first['id']}")
    assert (said.status_code, said.json()["errors"][0]["code"]) == (409, 2013)
