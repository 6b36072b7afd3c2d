"""Sharing with named environments: who sees what is shared, and for how long."""

from __future__ import annotations

from uuid import uuid4

import pytest

from service import KEY, Service


class Areas:
    """Three environments, an ISO in the first, and a key of each that may enter that one alone."""

    def __init__(self, service: Service, image) -> None:
        self.service = service
        self.names = [f"{role}_{uuid4().hex[:8]}" for role in ("owner", "friend", "other")]
        self.ids = [service.new_environment(name) for name in self.names]
        self.keys = [service.new_key("editor", each) for each in self.ids]
        self.iso = service.add(image, "shared thing", self.names[0])

    def path(self, number: int) -> str:
        """The ISO as it is asked for in one of the environments."""
        return f"/v1/services/compute-on/{self.names[number]}/isos/{self.iso['id']}"

    def share(self, *numbers: int, key: str = KEY):
        """Share the ISO with some of the environments."""
        body = {"visibility": "shared", "sharedWith": [self.names[each] for each in numbers]}
        return self.service.client(key).put(self.path(0), json=body)

    def seen(self) -> list[list[bool]]:
        """For each environment whether its key sees the ISO: by id, in the list, in a page, in a search."""
        return [[self._got(number), *self._listed(number)] for number in range(3)]

    def _got(self, number: int) -> bool:
        return self.service.client(self.keys[number]).get(self.path(number)).status_code == 200

    def _listed(self, number: int) -> list[bool]:
        client, path = self.service.client(self.keys[number]), self.path(number).rpartition("/")[0]
        asked = [{}, {"page_size": 5, "sort_by": "name"}, {"search": "shared th"}, {"visibility": "shared"}]
        answers = [client.get(path, params=parameters).json() for parameters in asked]
        found = [self.iso["id"] in {each["id"] for each in said["data"]} for said in answers]
        assert [bool(said["metadata"]["recordCount"]) for said in answers[1:]] == found[1:]
        return found[:3]


@pytest.fixture
def areas(service: Service, small_image) -> Areas:
    """Give three environments, of which the first has an ISO."""
    return Areas(service, small_image)


def test_what_is_shared_is_seen_where_it_is_shared_and_nowhere_else(areas: Areas):
    """At once in every list, page, search and count, and as soon gone again."""
    assert areas.seen() == [[True] * 4, [False] * 4, [False] * 4]
    assert areas.share(1).status_code == 200
    assert areas.seen() == [[True] * 4, [True] * 4, [False] * 4]
    assert areas.share(1, 2).status_code == 200
    assert areas.seen() == [[True] * 4] * 3
    assert areas.share(2).status_code == 200
    assert areas.seen() == [[True] * 4, [False] * 4, [True] * 4]
    areas.service.client().put(areas.path(0), json={"visibility": "private"})
    assert areas.seen() == [[True] * 4, [False] * 4, [False] * 4]
    areas.service.client().put(areas.path(0), json={"availablePublicly": True})
    assert [each[0] for each in areas.seen()] == [True] * 3
    areas.service.client().delete(areas.path(0))


def test_who_it_is_shared_with_may_read_and_not_change_it(areas: Areas):
    """The image can be read; a change and a deletion are refused, and the ISO stays as it is."""
    areas.share(1)
    friend = areas.service.client(areas.keys[1])
    assert friend.get(f"{areas.path(1)}/files").status_code == 200
    assert friend.put(areas.path(1), json={"name": "mine"}).status_code == 403
    assert friend.put(areas.path(1), json={"visibility": "private"}).status_code == 403
    assert friend.delete(areas.path(1)).status_code == 403
    assert friend.get(areas.path(1)).json()["data"]["name"] == "shared thing"
    areas.service.client().put(areas.path(0), json={"visibility": "private"})
    missing = friend.get(areas.path(1).replace(areas.iso["id"], areas.ids[0]))
    assert friend.get(areas.path(1)).text == missing.text.replace(areas.ids[0], areas.iso["id"])


def test_only_the_owner_is_told_whom_it_is_shared_with(areas: Areas):
    """By name and in order; in the other environments there is no such field, nor is there in any list."""
    told = areas.share(2, 1).json()["data"]
    assert told["sharedWith"] == sorted(areas.names[1:])
    assert areas.service.get(areas.path(0)) == told
    for number in (1, 2):
        said = areas.service.client(areas.keys[number]).get(areas.path(number)).text
        assert not [name for name in (*areas.names, "sharedWith") if name in said]
    assert "sharedWith" not in areas.service.client().get(areas.path(0).rpartition("/")[0]).text
    renamed = areas.service.client().put(f"/v1/environments/{areas.ids[1]}", json={"name": f"a{areas.names[1]}"})
    assert renamed.status_code == 200
    assert f"a{areas.names[1]}" in areas.service.get(areas.path(0))["sharedWith"]


def test_a_change_of_a_shared_iso_is_seen_where_it_is_shared(areas: Areas):
    """Its name, and that it is gone; it stays shared whatever else is changed."""
    areas.share(1)
    areas.service.client().put(areas.path(0), json={"name": "another name"})
    assert areas.service.get(areas.path(1), areas.keys[1])["name"] == "another name"
    listing = areas.path(1).rpartition("/")[0]
    assert [each["name"] for each in areas.service.get(listing, areas.keys[1], page_size=5)] == ["another name"]
    assert areas.service.client().delete(areas.path(0)).status_code == 200
    assert areas.service.get(listing, areas.keys[1], page_size=5) == []


def test_nothing_is_shared_with_an_environment_that_the_key_may_not_enter(areas: Areas):
    """The answer is that for one that is not there; a key of both may."""
    owner = areas.keys[0]
    refused, missing = (
        areas.share(1, key=owner),
        areas.service.client(owner).put(areas.path(0), json={"visibility": "shared", "sharedWith": ["nowhere"]}),
    )
    assert refused.status_code == missing.status_code == 404
    assert refused.text == missing.text.replace("nowhere", areas.names[1])
    assert areas.seen() == [[True] * 4, [False] * 4, [False] * 4]
    both = areas.service.new_key("editor", areas.ids[0], areas.ids[1])
    assert areas.share(1, key=both).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"visibility": "shared"},
        {"sharedWith": ["test_area"]},
        {"visibility": "private", "sharedWith": ["test_area"]},
        {"availablePublicly": False, "sharedWith": ["test_area"]},
        {"visibility": "shared", "sharedWith": []},
        {"visibility": "shared", "sharedWith": ["test_area"] * 101},
        {"visibility": "shared", "sharedWith": ["Not A Name"]},
        {"visibility": "shared", "sharedWith": "test_area"},
    ],
)
def test_sharing_names_environments_and_is_said_twice(areas: Areas, body):
    """400 for a visibility without names, for names without it, and for names that are none."""
    said = areas.service.client().put(areas.path(0), json=body)
    assert (said.status_code, said.json()["errors"][0]["context"]["fields"].keys()) == (400, {"sharedWith"})


def test_sharing_with_oneself_alone_is_no_sharing(areas: Areas):
    """400; among others the own environment may be named, and means nothing."""
    assert areas.share(0).status_code == 400
    assert areas.share(0, 1).json()["data"]["sharedWith"] == [areas.names[1]]


def test_an_environment_that_shared_or_was_shared_with_can_be_deleted(areas: Areas):
    """Whoever is left still sees it; an environment that holds nothing any more goes, whatever it shared before."""
    areas.share(1, 2)
    assert areas.service.client().delete(f"/v1/environments/{areas.ids[1]}").status_code == 204
    assert areas.service.get(areas.path(2), areas.keys[2])["id"] == areas.iso["id"]
    assert areas.service.get(areas.path(0))["sharedWith"] == [areas.names[2]]
    areas.service.client().delete(areas.path(0))
    assert areas.service.client().delete(f"/v1/environments/{areas.ids[0]}").status_code == 204


def test_sharing_counts_for_the_owner_alone(areas: Areas):
    """What others share takes nothing of an environment's quota."""
    areas.share(1)
    used = [areas.service.get(f"/v1/environments/{each}")["usedIsos"] for each in areas.ids]
    assert used == [1, 0, 0]
