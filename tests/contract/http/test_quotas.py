"""How much an environment may hold: who says it, what is shown, and what is refused."""

from __future__ import annotations

from uuid import uuid4

import pytest

from service import KEY, Service

NEW = {"name": "new", "description": "", "url": "https://example.org/a.iso"}


@pytest.fixture
def area(waiting: Service) -> tuple[str, str]:
    """Make an environment for a test; its name and id."""
    name = f"area_{uuid4().hex[:8]}"
    return name, waiting.new_environment(name)


def _set(service: Service, area_id: str, key: str = KEY, **quotas: object):
    return service.client(key).put(f"/v1/environments/{area_id}", json=quotas)


def _import(service: Service, name: str):
    return service.client().post(f"/v1/services/compute-on/{name}/isos", json=NEW)


def test_an_environment_shows_what_it_may_hold_and_holds(waiting, area, small_image):
    """One by one and in the list; also what is public or still to come counts, and what is gone does not."""
    name, area_id = area
    made = waiting.get(f"/v1/environments/{area_id}")
    assert [made[field] for field in ("maxBytes", "maxIsos", "usedBytes", "usedIsos")] == [0, 0, 0, 0]
    iso = waiting.add(small_image, "here", name)
    path = f"/v1/services/compute-on/{name}/isos/{iso['id']}"
    waiting.client().put(path, json={"visibility": "public"})
    assert _import(waiting, name).status_code == 200
    set_ = _set(waiting, area_id, maxBytes=1 << 40, maxIsos=7.0).json()["data"]
    assert set_ == {**made, "maxBytes": 1 << 40, "maxIsos": 7, "usedBytes": iso["size"], "usedIsos": 2}
    assert waiting.get(f"/v1/environments/{area_id}") == set_
    assert set_ in waiting.get("/v1/environments", name=name)
    waiting.client().delete(path)
    after = waiting.get(f"/v1/environments/{area_id}")
    assert (after["usedBytes"], after["usedIsos"]) == (0, 1)


def test_a_full_environment_takes_nothing_more_until_its_quota_is_raised(waiting, area):
    """409 with which limit it was and how to raise it; another environment is not concerned."""
    name, area_id = area
    _set(waiting, area_id, maxIsos=1)
    assert _import(waiting, name).status_code == 200
    error = _import(waiting, name).json()["errors"][0]
    assert (error["code"], error["context"]) == (2016, {"limit": 1, "used": 1})
    assert "maxIsos" in error["message"]
    other = f"not_{name}"
    waiting.new_environment(other)
    assert _import(waiting, other).status_code == 200
    _set(waiting, area_id, maxIsos=2)
    assert _import(waiting, name).status_code == 200


def test_bytes_are_bounded_too(waiting, area, small_image):
    """What an environment holds may not grow once it holds as much as it may; nothing of it goes."""
    name, area_id = area
    size = waiting.add(small_image, "here", name)["size"]
    _set(waiting, area_id, maxBytes=size)
    error = _import(waiting, name).json()["errors"][0]
    assert (error["code"], error["context"]) == (2016, {"limit": size, "used": size, "wanted": 1})
    assert "maxBytes" in error["message"]
    assert _set(waiting, area_id, maxBytes=1).status_code == 200
    assert waiting.get(f"/v1/environments/{area_id}")["usedIsos"] == 1


@pytest.mark.parametrize("quotas", [{"maxBytes": 5}, {"maxIsos": 0}, {"maxIsos": 3, "description": "more"}])
def test_only_an_administrator_sets_a_quota(waiting, area, quotas):
    """An owner is refused, and nothing else of the same request is changed."""
    _, area_id = area
    before = waiting.get(f"/v1/environments/{area_id}")
    assert _set(waiting, area_id, waiting.new_key("owner", area_id), **quotas).status_code == 403
    assert waiting.get(f"/v1/environments/{area_id}") == before


@pytest.mark.parametrize("value", [-1, 1 << 63, "5", 1.5, 1e300, None])
def test_a_quota_is_a_whole_number_that_can_be_kept(waiting, area, value):
    """400 that names the field, when an environment is made and when it is changed."""
    for said in (
        _set(waiting, area[1], maxBytes=value),
        waiting.client().post("/v1/environments", json={"name": "never", "maxBytes": value}),
    ):
        assert (said.status_code, said.json()["errors"][0]["context"]["fields"].keys()) == (400, {"maxBytes"})
