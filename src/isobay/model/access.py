"""Who may do what: roles, keys, and the identity a request is made with."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

RoleName = Literal["viewer", "editor", "owner", "administrator"]


class Permission(Struct, frozen=True):
    """One right, as ``scope:entity:action`` with ``*`` for any."""

    name: str


class Role(Struct, rename="camel", kw_only=True, frozen=True):
    """A named set of rights."""

    id: str
    name: RoleName
    alias: str
    permissions: list[Permission]
    default_scope: Literal["ENV", "GLOBAL"]
    is_default: bool = False
    is_system: bool = True


class ApiKey(Struct, rename="camel", kw_only=True, frozen=True):
    """A key, without its secret. ``environments`` is empty for administrators: they may enter all."""

    id: str
    name: str
    role: RoleName
    environments: list[str]
    created: Annotated[str, Meta(description="RFC 3339, UTC")]
    expires: Annotated[str, Meta(description="When it opens nothing any more, RFC 3339, UTC; empty for never")] = ""


class NewApiKey(ApiKey, rename="camel", kw_only=True, frozen=True):
    """A key just made: the only time its secret is shown."""

    api_key: Annotated[str, Meta(description="Shown once; only its hash is kept")]


class Identity(Struct, frozen=True):
    """Who a request is made by: the key's id, its role, the environments (ids) it may enter, and until when.

    ``address`` is where the request comes from; empty on the machine itself.
    """

    key_id: str
    name: str
    role: RoleName
    environments: frozenset[str]
    expires: str = ""
    address: str = ""

    def may_enter(self, environment_id: str) -> bool:
        """Whether the environment exists as far as this caller may know."""
        return self.role == "administrator" or environment_id in self.environments
