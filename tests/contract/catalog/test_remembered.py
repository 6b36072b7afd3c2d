"""What is remembered between requests is never older than the request, whoever wrote in between."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from isobay.catalog import NotRememberedError, open_catalog, without_waiting
from isobay.model import ApiKey, Listing

FINGERPRINT = bytes(range(16))
DELETE_KEY = """
import sys
from isobay.catalog import open_catalog
catalog = open_catalog(sys.argv[1])
with catalog.writing() as tx:
    catalog.keys.delete(tx, ["key"])
"""


@pytest.fixture
def asked(shelf):
    """Keep a key, and give the catalogue that has answered with it before."""
    key = ApiKey(id="key", name="", role="viewer", environments=["environment-1"], created="")
    with shelf.catalog.writing() as tx:
        shelf.catalog.keys.add(tx, key, FINGERPRINT, bytes(16))
    for _ in range(3):
        assert _admitted(shelf.catalog)
    return shelf.catalog


def _admitted(catalog) -> bool:
    return catalog.admit(FINGERPRINT, "compute-on", "here") is not None


def test_a_remembered_answer_is_the_first_answer(shelf, asked):
    """Asking again gives what the database gave: the key, the place, and the ISO."""
    given = shelf.add()
    with asked.reading() as tx:
        key, place = asked.places.admit(tx, FINGERPRINT, "compute-on", "here")
        kept = asked.isos.get(tx, place, given.id)

    for _ in range(3):
        assert asked.admit(FINGERPRINT, "compute-on", "here") == (key, place)
        assert asked.iso(place, given.id) == kept
        assert asked.admit(bytes(16), "compute-on", "here") is None
        assert asked.iso(shelf.place("elsewhere"), given.id) is None


def test_a_key_deleted_by_another_process_opens_nothing_more(shelf, asked):
    """A key that one process takes away is refused by every other with the next request."""
    subprocess.run([sys.executable, "-c", DELETE_KEY, shelf.url], check=True, timeout=60)

    assert not _admitted(asked)


def test_every_change_is_in_the_next_answer(shelf, asked):
    """Edits and deletions through this catalogue and through another are told at once."""
    given = shelf.add(name="0")
    other = open_catalog(shelf.url)
    place = shelf.place()
    for number in range(1, 20):
        assert asked.iso(place, given.id).iso.name == str(number - 1)
        with (other if number % 2 else asked).writing() as tx:
            changed = msgspec.structs.replace(given, name=str(number))
            asked.isos.replace(tx, place, changed)
    assert other.iso(place, given.id).iso.name == "19"
    with other.writing() as tx:
        other.isos.delete(tx, given.id)

    assert asked.iso(place, given.id) is None
    assert other.iso(place, given.id) is None
    other.close()


def test_the_page_after_a_change_is_the_changed_page(shelf, asked):
    """The place that is admitted carries the revision of now, so no page of before is shown."""
    for number in range(1, 6):
        shelf.add()
        _, place = asked.admit(FINGERPRINT, "compute-on", "here")
        assert place == shelf.place()
        with asked.reading() as tx:
            assert asked.isos.page(tx, place, Listing(limit=1)).total == number


def test_readers_in_threads_never_see_an_older_answer(shelf, asked):
    """While one thread writes numbers that grow, no reader's number ever shrinks."""
    given = shelf.add(name="0")
    place = shelf.place()

    def read(_: int) -> list[int]:
        return [int(asked.iso(place, given.id).iso.name) for _ in range(200)]

    def write() -> None:
        for number in range(1, 60):
            with asked.writing() as tx:
                asked.isos.replace(tx, place, msgspec.structs.replace(given, name=str(number)))

    with ThreadPoolExecutor(4) as pool:
        writer = pool.submit(write)
        seen = list(pool.map(read, range(3)))
        writer.result()

    assert all(numbers == sorted(numbers) for numbers in seen)
    assert read(0)[-1] == 59


def test_where_nothing_may_wait_only_what_is_remembered_is_answered(shelf, asked, backend):
    """SQLite's remembered answers are given; anything else, and everything on PostgreSQL, says to ask elsewhere."""
    given = shelf.add()
    place = asked.admit(FINGERPRINT, "compute-on", "here")[1]
    with without_waiting():
        with pytest.raises(NotRememberedError), asked.reading():
            pass
        with pytest.raises(NotRememberedError), asked.writing():
            pass
        with pytest.raises(NotRememberedError):
            asked.iso(place, given.id)
        if backend == "sqlite":
            assert _admitted(asked)
        else:
            with pytest.raises(NotRememberedError):
                _admitted(asked)
    kept = asked.iso(place, given.id)
    if backend == "sqlite":
        with without_waiting():
            assert asked.iso(place, given.id) is kept
    shelf.add()
    with without_waiting(), pytest.raises(NotRememberedError):
        asked.iso(place, given.id)
    assert asked.iso(place, given.id) == kept


@pytest.mark.parametrize("backend", ["sqlite"])  # nothing is answered without waiting on PostgreSQL
def test_what_is_answered_without_waiting_is_of_one_moment(shelf, asked):
    """A change between two answers of one block is in neither, and in the next block's first."""
    given = shelf.add()
    place = asked.admit(FINGERPRINT, "compute-on", "here")[1]
    assert asked.iso(place, given.id)
    other = open_catalog(shelf.url)

    with without_waiting():
        assert _admitted(asked)
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(_delete, other, given.id).result()
        assert asked.iso(place, given.id).iso == given
    with without_waiting(), pytest.raises(NotRememberedError):
        asked.iso(place, given.id)
    other.close()


def _delete(catalog, iso_id: str) -> None:
    with catalog.writing() as tx:
        catalog.isos.delete(tx, iso_id)
