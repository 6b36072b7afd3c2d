"""The four roles and their rights."""

from __future__ import annotations

from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from isobay.errors import ForbiddenError
from isobay.model import Identity, Role
from isobay.model.access import Permission, RoleName

Right = Literal["read", "write", "manage", "administer"]

_ROLE_NAMESPACE = uuid5(NAMESPACE_URL, "urn:isobay:role")
_RIGHTS: dict[RoleName, frozenset[Right]] = {
    "viewer": frozenset({"read"}),
    "editor": frozenset({"read", "write"}),
    "owner": frozenset({"read", "write", "manage"}),
    "administrator": frozenset({"read", "write", "manage", "administer"}),
}
_NEEDS: dict[Right, str] = {
    "read": "viewer, editor, owner or administrator",
    "write": "editor, owner or administrator",
    "manage": "owner or administrator",
    "administer": "administrator",
}


def _role(name: RoleName, *permissions: str, default: bool = False) -> Role:
    return Role(
        id=str(uuid5(_ROLE_NAMESPACE, name)),
        name=name,
        alias=name,
        permissions=[Permission(permission) for permission in permissions],
        default_scope="GLOBAL" if name == "administrator" else "ENV",
        is_default=default,
    )


ROLES: tuple[Role, ...] = (
    _role("viewer", "env:*:read"),
    _role("editor", "env:*:*", default=True),
    _role("owner", "env:*:*", "environments:*:*", "api_keys:*:*"),
    _role("administrator", "*:*:*"),
)


def require(identity: Identity, right: Right) -> None:
    """Raise ForbiddenError if the caller's role lacks the right."""
    if right not in _RIGHTS[identity.role]:
        raise ForbiddenError(
            f"The key {identity.name!r} has the role {identity.role}, which may not do this. "
            f"Use a key with the role {_NEEDS[right]}.",
            role=identity.role,
        )
