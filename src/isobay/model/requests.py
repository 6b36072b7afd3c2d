"""What callers send to make or change what is administered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from isobay.model.access import RoleName
from isobay.model.environment import EnvironmentName, Membership

Text = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
RequiredText = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*\Z")]

Quota = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class Reference(Struct, frozen=True, forbid_unknown_fields=True):
    """An object named by its id."""

    id: Text


class NewEnvironment(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What makes an environment. Without a ``service_connection`` it is the oldest's."""

    name: EnvironmentName
    description: Text = ""
    service_connection: Reference | None = None
    membership: Membership = "MANY_USERS"
    max_bytes: Quota = 0
    max_isos: Quota = 0


class EnvironmentEdit(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What may be changed of an environment; what is left out stays."""

    name: EnvironmentName | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    membership: Membership | UnsetType = UNSET
    max_bytes: Quota | UnsetType = UNSET
    max_isos: Quota | UnsetType = UNSET


class Parameter(Struct, frozen=True, forbid_unknown_fields=True):
    """One parameter of a connection."""

    parameter: Text
    value: Annotated[str, Meta(max_length=65536, pattern=r"^[^\x00]*$")]


class NewConnection(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What makes a service connection."""

    name: RequiredText
    service_code: EnvironmentName
    type: Literal["local"]
    parameters: Annotated[list[Parameter], Meta(max_length=100)] = []


class KeyRequest(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What makes a key. ``environments`` are ids; an administrator's key needs none."""

    name: RequiredText
    role: RoleName
    environments: Annotated[list[Text], Meta(max_length=1000)] = []
    expires: Annotated[datetime, Meta(tz=True, description="RFC 3339; without it the key does not expire")] | None = (
        None
    )
