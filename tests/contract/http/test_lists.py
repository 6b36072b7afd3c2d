"""Paging, sorting, filtering and searching, as a caller sees them."""

from __future__ import annotations

import itertools

import pytest

from service import SEED, Service

COUNT = 23
PATH = f"{SEED}/isos"


@pytest.fixture(scope="module")
def shelf(service: Service, small_image) -> list[dict]:
    """Shelve images under names in no order."""
    for number in range(COUNT):
        service.add(small_image, f"image {number * 7 % COUNT:02}")
    return service.get(PATH)


def answer(service: Service, **parameters) -> dict:
    """The whole answer of the list."""
    said = service.client().get(PATH, params=parameters)
    assert said.status_code == 200, said.text
    return said.json()


@pytest.mark.usefixtures("shelf")
def test_without_paging_the_list_is_whole_and_in_the_order_of_creation(service):
    """What the seed promises: every ISO, and their number alone beside them."""
    said = answer(service)
    assert said["metadata"] == {"recordCount": COUNT}
    assert [iso["created"] for iso in said["data"]] == sorted(iso["created"] for iso in said["data"])


def test_pages_by_number_and_by_cursor_are_the_same_list(service, shelf):
    """Both ways give every ISO once, in the asked order, and say where they are."""
    by_name = sorted((iso["name"] for iso in shelf), reverse=True)
    numbered, cursor, walked = [], "", []
    for number in itertools.count(1):
        said = answer(service, page_size=5, page_number=number, sort_by="name", sort_order="DESC")
        if not said["data"]:
            break
        meta = said["metadata"]
        assert (meta["pageSize"], meta["pageCurrent"], meta["recordCount"]) == (5, number, COUNT)
        assert (meta["sortField"], meta["sortOrder"]) == ("name", "DESC")
        numbered += [iso["name"] for iso in said["data"]]
    while True:
        said = answer(service, page_size=5, sort_by="name", sort_order="DESC", **({"cursor": cursor} if cursor else {}))
        walked += [iso["name"] for iso in said["data"]]
        cursor = said["metadata"].get("nextCursor", "")
        if not cursor:
            break
    assert numbered == walked == by_name


def test_filters_and_search_narrow_the_list_and_its_count(service, shelf):
    """The count is of what matches, not of the page."""
    said = answer(service, name=shelf[3]["name"])
    assert [iso["id"] for iso in said["data"]] == [shelf[3]["id"]]
    said = answer(service, bootable="false", ready="true", page_size=1)
    assert (len(said["data"]), said["metadata"]["recordCount"]) == (1, COUNT)
    assert answer(service, bootable="true")["metadata"]["recordCount"] == 0
    assert answer(service, search="IMAGE 0")["metadata"]["recordCount"] == 10
    assert answer(service, search="%")["metadata"]["recordCount"] == 0
    assert answer(service, size=shelf[0]["size"], osTypeName=shelf[0]["osTypeName"])["metadata"]["recordCount"] == COUNT


@pytest.mark.parametrize(
    ("query", "bad"),
    [
        ("nonsense=1", {"nonsense"}),
        ("sort_by=formats", {"sort_by"}),
        ("sort_by=object_id", {"sort_by"}),
        ("sort_order=UP", {"sort_order"}),
        ("page_size=0&page_number=x", {"page_size", "page_number"}),
        ("page_size=100000", {"page_size"}),
        ("page_number=1_0", {"page_number"}),
        ("page_number=%D9%A3", {"page_number"}),
        ("bootable=maybe&size=big", {"bootable", "size"}),
        ("cursor=nonsense&page_size=2", {"cursor"}),
        ("cursor=abcd&page_number=2", {"cursor"}),
        ("name=a&name=b", {"name"}),
        ("search=%00", {"search"}),
        ("name=" + "x" * 2000, {"name"}),
    ],
)
def test_every_bad_parameter_is_named(service, query, bad):
    """A 400 that names each of them, and nothing else."""
    said = service.client().get(f"{PATH}?{query}")
    assert said.status_code == 400
    error = said.json()["errors"][0]
    assert error["errorCode"] == str(error["code"]) == "2001"
    assert error["context"]["fields"].keys() == bad
    assert all(name in error["message"] for name in bad)


@pytest.mark.usefixtures("shelf")
def test_a_page_beyond_the_end_is_empty(service):
    """However far beyond."""
    for number in (COUNT + 1, 10**18):
        said = answer(service, page_size=20, page_number=number)
        assert (said["data"], said["metadata"]["recordCount"]) == ([], COUNT)


@pytest.mark.parametrize(
    "path", ["/v1/environments", "/v1/roles", "/v1/api_keys", "/v1/services/connections", f"{SEED}/ostypes"]
)
def test_small_lists_are_asked_the_same_way(service, path):
    """Sorting, paging and search work on every list."""
    said = service.client().get(path, params={"sort_by": "name", "sort_order": "DESC", "page_size": 2}).json()
    whole = sorted((each["name"] for each in service.get(path)), reverse=True)
    assert [each["name"] for each in said["data"]] == whole[:2]
    assert said["metadata"]["recordCount"] == len(whole)
    found = service.get(path, search=whole[0][:4].upper())
    assert whole[0] in [each["name"] for each in found]


def test_a_value_longer_than_any_is_refused_before_a_list_begins(service):
    """The whole list is written as it is read, and a 400 all the same."""
    for parameters in ({}, {"page_size": 5}):
        said = service.client().get(PATH, params={"zoneId": "x" * 300, **parameters})
        assert (said.status_code, said.json()["errors"][0]["code"]) == (400, 2001)
