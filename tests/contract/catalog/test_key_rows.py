"""Keys are found by their fingerprint, with what they may enter; a request's one query says who and where."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from isobay.model import ApiKey, Identity

FINGERPRINT, VERIFIER = bytes(range(16)), bytes(range(255, 239, -1))


def _key(number: int = 1, **fields) -> ApiKey:
    values = {"role": "editor", "environments": ["environment-1", "environment-2"], "created": f"2026-01-0{number}"}
    return ApiKey(**{"id": f"key-{number}", "name": f"Key {number}", **values, **fields})


@pytest.fixture
def keys(shelf):
    """Give the keys of a catalogue that holds one key."""
    with shelf.catalog.writing() as tx:
        shelf.catalog.keys.add(tx, _key(), FINGERPRINT, VERIFIER)
    return shelf.catalog.keys


def test_a_key_is_found_with_all_its_environments(shelf, keys):
    """The fingerprint leads to the identity and to the half that must be compared."""
    with shelf.catalog.reading() as tx:
        found = keys.find(tx, FINGERPRINT)
        unknown = keys.find(tx, bytes(16))

    assert found.identity == Identity("key-1", "Key 1", "editor", frozenset(("environment-1", "environment-2")))
    assert found.verifier == VERIFIER
    assert unknown is None


def test_keys_are_listed_oldest_first_without_secrets(shelf, keys):
    """The list holds what may be shown, in the order in which the keys were made."""
    administrator = _key(3, role="administrator", environments=[])
    with shelf.catalog.writing() as tx:
        keys.add(tx, administrator, bytes(16), bytes(16))
        keys.add(tx, _key(2, environments=["environment-3"]), bytes([1] * 16), bytes(16))

    with shelf.catalog.reading() as tx:
        listed = keys.all(tx)

    assert listed == [_key(), _key(2, environments=["environment-3"]), administrator]


def test_a_deleted_key_opens_nothing(shelf, keys):
    """A key that was deleted is not found again, and others stay."""
    with shelf.catalog.writing() as tx:
        keys.add(tx, _key(2), bytes(16), bytes(16))
        keys.delete(tx, ["key-1"])

    with shelf.catalog.reading() as tx:
        assert keys.find(tx, FINGERPRINT) is None
        assert keys.all(tx) == [_key(2)]
        assert shelf.catalog.places.admit(tx, FINGERPRINT, "compute-on", "here") is None


def test_a_secret_belongs_to_one_key(shelf, keys):
    """The same secret cannot be kept twice, nor a key for an environment that is not there."""
    for key, fingerprint in ((_key(2), FINGERPRINT), (_key(3, environments=["nowhere"]), bytes(16))):
        with pytest.raises(IntegrityError), shelf.catalog.writing() as tx:
            keys.add(tx, key, fingerprint, VERIFIER)

    with shelf.catalog.reading() as tx:
        assert keys.all(tx) == [_key()]


@pytest.mark.parametrize(
    ("service", "name", "environment", "member"),
    [
        ("compute-on", "here", "environment-1", True),
        ("compute-on", "beside", "environment-2", True),
        ("compute-qc", "elsewhere", "environment-3", False),
        ("compute-qc", "here", None, False),
        ("compute-on", "HERE", None, False),
        ("", "here", None, False),
        ("compute-on", "", None, False),
    ],
)
def test_a_request_is_admitted_by_one_query(shelf, keys, service, name, environment, member):
    """Who asks and where: the key always, the environment by its exact name, and membership where there is one."""
    assert keys
    with shelf.catalog.reading() as tx:
        key, place = shelf.catalog.places.admit(tx, FINGERPRINT, service, name)
        by_id = shelf.catalog.places.by_id(tx, environment or "nowhere")

    assert (key.identity.key_id, key.verifier) == ("key-1", VERIFIER)
    assert key.identity.environments == (frozenset((environment,)) if member else frozenset())
    assert place == by_id
    assert (place and place.environment_id) == environment


def test_nobody_is_admitted_without_a_key(shelf):
    """An unknown fingerprint learns nothing of the environment."""
    with shelf.catalog.reading() as tx:
        assert shelf.catalog.places.admit(tx, FINGERPRINT, "compute-on", "here") is None


def test_a_place_is_named_with_or_without_its_service(shelf):
    """An operator may leave the service out; every environment of the name is then given."""
    with shelf.catalog.reading() as tx:
        named = shelf.catalog.places.named
        assert [place.connection_id for place in named(tx, "here")] == ["connection-1"]
        assert named(tx, "here", "compute-on") == named(tx, "here")
        assert named(tx, "here", "compute-qc") == []
        assert named(tx, "nowhere") == []
