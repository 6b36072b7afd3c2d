"""The door: every request passes here before it reaches an engine."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Struct

from isobay.access import roles, secrets
from isobay.catalog import Catalog, Place
from isobay.catalog.keys import KeyRow
from isobay.clock import utc_now
from isobay.engines.interface import Engine
from isobay.errors import NotFoundError, UnauthorizedError
from isobay.model import Activity, Identity

OPERATOR = Identity(key_id="", name="operator", role="administrator", environments=frozenset())
_NOBODY = Identity(key_id="", name="", role="viewer", environments=frozenset())


class Visit(Struct, frozen=True):
    """A caller in an environment, with the engine that answers there."""

    identity: Identity
    place: Place
    engine: Engine


class Door:
    """Lets callers in by their keys."""

    def __init__(self, catalog: Catalog, engines: dict[str, Engine]) -> None:
        self._catalog = catalog
        self._engines = engines

    def identify(self, secret: str | None, right: roles.Right = "read", address: str = "") -> Identity:
        """Who holds this key, with all the environments it may enter.

        Raises UnauthorizedError without a known key or with one that expired, ForbiddenError without the right.
        """
        fingerprint, verifier = secrets.hashed(_presented(secret))
        with self._catalog.reading() as tx:
            key = self._catalog.keys.find(tx, fingerprint)
        identity = _proved(key, verifier, address)
        roles.require(identity, right)
        return identity

    def enter(
        self,
        secret: str | None,
        service_code: str,
        environment_name: str,
        right: roles.Right = "read",
        address: str = "",
    ) -> Visit:
        """Let a caller into an environment.

        Raises UnauthorizedError without a known key or with one that expired, NotFoundError where the caller
        may not see such an environment, ForbiddenError where it is seen and the right is missing.
        """
        fingerprint, verifier = secrets.hashed(_presented(secret))
        key, place = self._catalog.admit(fingerprint, service_code, environment_name) or (None, None)
        identity = _proved(key, verifier, address)
        if place is None or not identity.may_enter(place.environment_id):
            raise no_environment(service_code, environment_name)
        roles.require(identity, right)
        return self._visit(identity, place)

    def follow(self, environment_id: str) -> Visit:
        """Let whoever has a link into the environment that it was made in. Raises NotFoundError where that is gone.

        Who comes by a link may do only what the link says: the identity is nobody's.
        """
        with self._catalog.reading() as tx:
            place = self._catalog.places.by_id(tx, environment_id)
        if place is None:
            raise no_environment("(any)", environment_id)
        return self._visit(_NOBODY, place)

    def resume(self, key_id: str, environment_id: str, right: roles.Right) -> Visit:
        """Let in again who was let in a moment ago, as something signed says: a key by its id, or the operator by none.

        Raises UnauthorizedError where the key is gone or expired, NotFoundError where it may not see the environment,
        ForbiddenError where the right is missing.
        """
        with self._catalog.reading() as tx:
            identity = self._catalog.keys.identity(tx, key_id) if key_id else OPERATOR
            place = self._catalog.places.by_id(tx, environment_id)
        if identity is None or _has_expired(identity):
            raise UnauthorizedError("The key that this was made for is gone, or has expired. Ask with another one.")
        if place is None or not identity.may_enter(environment_id):
            raise no_environment("(any)", environment_id)
        roles.require(identity, right)
        return self._visit(identity, place)

    def operate(self, environment_name: str, service_code: str = "") -> Visit:
        """Let the machine's operator into an environment: who can write the data directory needs no key.

        Raises NotFoundError for no such environment, or for several of that name and no service code.
        """
        with self._catalog.reading() as tx:
            places = self._catalog.places.named(tx, environment_name, service_code)
        if len(places) != 1:
            raise no_environment(service_code or "(any)", environment_name)
        return self._visit(OPERATOR, places[0])

    def record(
        self,
        identity: Identity,
        operation: str,
        *,
        environment_id: str = "",
        object_id: str = "",
        name: str = "",
        result: str = "SUCCESS",
        **details: Any,
    ) -> None:
        """Write a change, or one that was refused, into the activity log."""
        entry = Activity(
            id=str(uuid4()),
            created=utc_now(),
            operation=operation,
            key_id=identity.key_id,
            key_name=identity.name,
            environment_id=environment_id,
            object_id=object_id,
            object_name=name,
            details=details,
            address=identity.address,
            result=result,
        )
        with self._catalog.writing() as tx:
            self._catalog.activities.add(tx, entry)

    def _visit(self, identity: Identity, place: Place) -> Visit:
        return Visit(identity, place, self._engines[place.connection_type])


def no_environment(service_code: str, environment_name: str) -> NotFoundError:
    """The answer for an environment that is missing or may not be seen: one sentence for both."""
    return NotFoundError(
        f"There is no environment {environment_name!r} in the service {service_code!r}. "
        "GET /environments lists those your key may enter.",
        type="environments",
        id=environment_name,
    )


def _presented(secret: str | None) -> str:
    if not secret:
        raise UnauthorizedError("The request has no key. Send it in the header MC-Api-Key.")
    if len(secret) > secrets.MAX_LENGTH:
        raise _unknown_key()
    return secret


def _proved(key: KeyRow | None, verifier: bytes, address: str) -> Identity:
    if key is None or not secrets.proves(verifier, key.verifier):
        raise _unknown_key()
    expires = key.identity.expires
    if _has_expired(key.identity):
        raise UnauthorizedError(
            f"The key {key.identity.name!r} expired at {expires}. Ask who made it for a new one.", expires=expires
        )
    return msgspec.structs.replace(key.identity, address=address)


def _has_expired(identity: Identity) -> bool:
    return bool(identity.expires) and identity.expires <= utc_now()


def _unknown_key() -> UnauthorizedError:
    return UnauthorizedError("The key in the header MC-Api-Key is not known. Ask an administrator for a new one.")
