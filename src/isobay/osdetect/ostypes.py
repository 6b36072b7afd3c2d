"""Operating system types: what the API offers as ``osTypeId`` and ``osTypeName``."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from isobay.osdetect.rules import Rules

__all__ = ["GENERIC_NAMES", "OsType", "os_type_id", "os_types"]

GENERIC_NAMES = (
    "Other (64-bit)",
    "Other (32-bit)",
    "Other Linux (64-bit)",
    "Other Linux (32-bit)",
    "Other PV (64-bit)",
    "Other PV (32-bit)",
    "None",
)
GENERIC = "https://isobay.invalid/ostypes/"  # never fetched: it only makes names into stable UUIDs


@dataclass(frozen=True, slots=True)
class OsType:
    """A type with its stable id. ``os_id`` is libosinfo's, empty for the generic types."""

    id: uuid.UUID
    name: str
    os_id: str


def os_type_id(os_id: str) -> uuid.UUID:
    """Return the id of the type for a libosinfo id: the UUID of version 5 in the URL name space (RFC 9562 5.5).

    A name of `GENERIC_NAMES` gives the id of that generic type.
    """
    return uuid.uuid5(uuid.NAMESPACE_URL, GENERIC + os_id if os_id in GENERIC_NAMES else os_id)


def os_types(rules: Rules) -> list[OsType]:
    """Return a type for every system of the rules, in the order of their names, then the generic ones."""
    systems = sorted(rules.systems, key=lambda system: (system.name.casefold(), system.os_id))
    types = [OsType(os_type_id(system.os_id), system.name, system.os_id) for system in systems]
    return types + [OsType(os_type_id(name), name, "") for name in GENERIC_NAMES]
