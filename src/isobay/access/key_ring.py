"""The keys: who may make them, see them and take them back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from isobay.access import roles, secrets
from isobay.access.door import Door
from isobay.catalog import Catalog
from isobay.clock import utc_now, written
from isobay.errors import ConflictError, ForbiddenError, InvalidFieldsError, NotFoundError
from isobay.model import ApiKey, Identity, NewApiKey
from isobay.model.requests import KeyRequest

LONGEST = timedelta(days=36_525)


class KeyRing:
    """Keys. An administrator has all; an owner those whose every environment is among the owner's."""

    def __init__(self, catalog: Catalog, door: Door) -> None:
        self._catalog = catalog
        self._door = door

    def all(self, identity: Identity) -> list[ApiKey]:
        """The keys the caller may manage, and the caller's own."""
        with self._catalog.reading() as tx:
            keys = self._catalog.keys.all(tx)
        return [key for key in keys if key.id == identity.key_id or _manages(identity, key)]

    def create(self, identity: Identity, request: KeyRequest) -> NewApiKey:
        """Make a key: the only time its secret is seen."""
        if request.role == "administrator" and request.environments:
            raise InvalidFieldsError({"environments": "must be empty: an administrator's key enters all"})
        if request.role != "administrator" and not request.environments:
            raise InvalidFieldsError({"environments": "must name at least one environment by its id"})
        secret = secrets.new_secret()
        key = NewApiKey(
            id=str(uuid4()),
            name=request.name,
            role=request.role,
            environments=sorted(set(request.environments)),
            created=utc_now(),
            expires=_expiry(identity, request.expires),
            api_key=secret,
        )
        if request.role == "administrator":
            roles.require(identity, "administer")
        with self._catalog.writing() as tx:
            known = {each.id for each in self._catalog.environments.all(tx, key.environments)}
            if unknown := [each for each in key.environments if each not in known or not identity.may_enter(each)]:
                raise NotFoundError.of("environments", unknown[0])
            self._catalog.keys.add(tx, key, *secrets.hashed(secret))
        self._record(identity, "api_key.create", key, role=key.role, environments=key.environments)
        return key

    def delete(self, identity: Identity, key_id: str) -> None:
        """Take a key back.

        Raises ConflictError for the last administrator's that does not expire: one day nobody could come in.
        """
        with self._catalog.writing() as tx:
            keys = self._catalog.keys.all(tx)
            key = next((each for each in keys if each.id == key_id), None)
            if key is None or not (key.id == identity.key_id or _manages(identity, key)):
                raise NotFoundError.of("api_keys", key_id)
            if not _manages(identity, key):
                raise ForbiddenError("A key of your role cannot take itself back. Ask an owner or an administrator.")
            lasting = [each for each in keys if each.role == "administrator" and not each.expires]
            if lasting == [key]:
                raise ConflictError(
                    f"{key.name!r} is the last administrator's key that does not expire. "
                    "Make another before you delete it.",
                    type="api_keys",
                    id=key_id,
                )
            self._catalog.keys.delete(tx, [key_id])
        self._record(identity, "api_key.delete", key)

    def _record(self, identity: Identity, operation: str, key: ApiKey, **details: Any) -> None:
        # A key of one environment is that environment's business; one of several only an administrator's.
        only = key.environments[0] if len(key.environments) == 1 else ""
        self._door.record(identity, operation, environment_id=only, object_id=key.id, name=key.name, **details)


def _expiry(identity: Identity, expires: datetime | None) -> str:
    """When a new key expires. What is made with a key that expires must not outlive it."""
    if expires is None:
        if identity.expires:
            raise InvalidFieldsError({"expires": f"is required: the key you use expires at {identity.expires}"})
        return ""
    now = datetime.now(UTC)
    if not now < expires < now + LONGEST:
        raise InvalidFieldsError({"expires": "must be in the future, and less than a hundred years away"})
    moment = written(expires)
    if identity.expires and moment > identity.expires:
        raise InvalidFieldsError({"expires": f"must not be after that of the key you use, {identity.expires}"})
    return moment


def _manages(identity: Identity, key: ApiKey) -> bool:
    if identity.role == "administrator":
        return True
    inside = bool(key.environments) and identity.environments.issuperset(key.environments)
    return identity.role == "owner" and key.role != "administrator" and inside
