"""Keys that expire: what they open until then, and what may be made with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest

from isobay.access.secrets import hashed
from isobay.clock import utc_now
from isobay.model import ApiKey
from service import KEY, SEED, Service

PATHS = (f"{SEED}/isos", "/v1/environments", "/v1/tasks/x", f"{SEED}/zones")
FAR = "2101-01-01T02:00:00+02:00"
NEAR = utc_now(timedelta(hours=1))


def _make(service: Service, key: str, **fields: object):
    return service.client(key).post("/v1/api_keys", json={"name": "made", **fields})


@pytest.fixture
def area(service: Service) -> str:
    """Give the id of the seed's environment."""
    return next(each["id"] for each in service.get("/v1/environments") if each["name"] == "test_area")


def test_a_key_tells_when_it_expires_and_works_until_then(service, area):
    """The answer and the lists have the moment in UTC; a key made without one never expires."""
    said = _make(service, KEY, role="viewer", environments=[area], expires=FAR).json()["data"]
    assert said["expires"] == "2101-01-01T00:00:00.000000Z"
    assert [service.client(said["apiKey"]).get(path).status_code for path in PATHS] == [200, 200, 404, 200]
    listed = {key["id"]: key["expires"] for key in service.get("/v1/api_keys")}
    assert listed[said["id"]] == said["expires"]
    assert listed[next(key["id"] for key in service.get("/v1/api_keys") if key["name"] == "first administrator")] == ""


def test_a_key_that_was_just_used_expires_all_the_same(service, area):
    """What is remembered of a key does not outlive it."""
    expires = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    secret = _make(service, KEY, role="viewer", environments=[area], expires=expires).json()
    client = service.client(secret["data"]["apiKey"])
    deadline = monotonic() + 60
    while (said := client.get(f"{SEED}/isos")).status_code == 200:
        assert monotonic() < deadline
    assert said.status_code == 401


def test_only_who_knows_an_expired_key_is_told_so(service, area):
    """401 everywhere with when it expired; a wrong key of the same beginning hears what every wrong key does."""
    secret, expired = "isobay_" + "e" * 43, utc_now(-timedelta(hours=1))
    key = ApiKey(id="k" * 36, name="old", role="editor", environments=[area], created=expired, expires=expired)
    catalog = service.behind.catalog
    with catalog.writing() as tx:
        catalog.keys.add(tx, key, *hashed(secret))
    for path in PATHS:
        said = service.client(secret).get(path)
        assert (said.status_code, said.json()["errors"][0]["code"]) == (401, 3001)
        assert expired in said.json()["errors"][0]["message"]
    unknown = service.client("isobay_nobodys").get(PATHS[0])
    assert service.client(secret[:-1] + "f").get(PATHS[0]).text == unknown.text
    assert "expired" not in unknown.text


@pytest.mark.parametrize(
    "expires", ["2020-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2101-01-01T00:00:00", "soon", 5, ""]
)
def test_a_moment_that_cannot_be_is_refused(service, area, expires):
    """400 that names the field: the past, the far future, and what is no time with a zone."""
    said = _make(service, KEY, role="viewer", environments=[area], expires=expires)
    assert said.status_code == 400
    assert said.json()["errors"][0]["context"]["fields"].keys() == {"expires"}


@pytest.mark.parametrize(
    ("expires", "status"), [(None, 400), (FAR, 400), (NEAR, 200)], ids=["never", "later", "sooner"]
)
def test_what_is_made_with_a_key_does_not_outlive_it(service, area, expires, status):
    """A key that expires makes none that lasts longer."""
    moment = utc_now(timedelta(hours=2))
    owner = _make(service, KEY, role="owner", environments=[area], expires=moment).json()["data"]
    given = {"expires": expires} if expires else {}
    said = _make(service, owner["apiKey"], role="viewer", environments=[area], **given)
    assert said.status_code == status, said.text


def test_an_administrators_key_that_does_not_expire_stays(service):
    """One that expires is no reason to delete the last that does not."""
    made = _make(service, KEY, role="administrator", expires=FAR).json()["data"]
    first = next(key for key in service.get("/v1/api_keys") if key["name"] == "first administrator")
    said = service.client(made["apiKey"]).delete(f"/v1/api_keys/{first['id']}")
    assert (said.status_code, said.json()["errors"][0]["code"]) == (409, 2013)
    assert service.client().delete(f"/v1/api_keys/{made['id']}").status_code == 204
