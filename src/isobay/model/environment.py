"""Where things live: service connections, their zones, and the environments that belong to them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Membership = Literal["ALL_ORG_USERS", "MANY_USERS"]
# Python's $ would take a line's end at the end too.
ENVIRONMENT_NAME = r"^[a-z0-9_-]{1,63}\Z"
EnvironmentName = Annotated[
    str, Meta(pattern=ENVIRONMENT_NAME, extra={"wanted": "1 to 63 lower case letters, digits, - and _"})
]


class Named(Struct, frozen=True):
    """A reference to another object: its id, and its name where it is known."""

    id: str
    name: str = ""


class Zone(Struct, frozen=True):
    """A zone of a service connection."""

    id: str
    name: str


class ConnectionStatus(Struct, rename="camel", frozen=True):
    """Whether the engine behind a connection answered when it was last asked."""

    last_updated: Annotated[str, Meta(description="RFC 3339, UTC")]
    reachable: bool


class Connection(Struct, rename="camel", kw_only=True, frozen=True):
    """A service connection. Its parameters are written and never read back."""

    id: str
    service_code: str
    name: str
    type: str
    status: ConnectionStatus


class Environment(Struct, rename="camel", kw_only=True, frozen=True):
    """An environment: the shelf that a set of keys shares, and how much it may hold and holds."""

    id: str
    name: Annotated[str, Meta(pattern=ENVIRONMENT_NAME)]
    description: str
    service_connection: Named
    state: Literal["ACTIVE"] = "ACTIVE"
    membership: Membership = "MANY_USERS"
    creation_date: str = ""
    max_bytes: Annotated[int, Meta(description="The bytes it may hold; 0 is what the service's settings say")] = 0
    max_isos: Annotated[int, Meta(description="The ISOs it may hold; 0 is what the service's settings say")] = 0
    used_bytes: int = 0
    used_isos: int = 0
