"""libosinfo's nouns, as its database describes them: operating systems, their media and their trees.

The source is osinfo-db's own schema (``schema/osinfo.rng``). Every class can be made from one row of plain JSON
values, in the order of its fields: the rows are what the cache keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


def _values(row: list[Any]) -> list[Any]:
    """JSON has lists where the classes have tuples."""
    return [tuple(value) if isinstance(value, list) else value for value in row]


@dataclass(frozen=True, slots=True)
class System:
    """An ``<os>``: one operating system in one version.

    ``os_id`` is the identifier that libosinfo spells as a URL; ``short_ids`` has at least one name. Dates are
    ``YYYY-MM-DD`` or empty. ``variants`` maps a variant's id to its name. ``resources`` maps an architecture
    (``all``: any) to levels (``minimum``, ``recommended``, ``maximum``, ``network-install``) and those to amounts:
    ``ram`` and ``storage`` in bytes, ``cpu`` in hertz, ``n-cpus`` in processors.
    ``derives_from``, ``upgrades`` and ``clones`` name other systems by id.
    """

    os_id: str
    short_ids: tuple[str, ...]
    name: str
    version: str
    vendor: str
    family: str
    distro: str
    codename: str
    release_date: str
    eol_date: str
    release_status: str
    derives_from: tuple[str, ...]
    upgrades: tuple[str, ...]
    clones: tuple[str, ...]
    variants: dict[str, str]
    resources: dict[str, dict[str, dict[str, int]]]

    @property
    def short_id(self) -> str:
        """The first of the short ids: the one to show."""
        return self.short_ids[0]

    @property
    def rolling(self) -> bool:
        """Whether the system has no releases: libosinfo's status ``rolling``."""
        return self.release_status == "rolling"

    @property
    def placeholder(self) -> bool:
        """Whether this stands for releases that the rules do not know yet, as ``fedora-unknown`` does."""
        return self.os_id.endswith("unknown")

    @classmethod
    def from_row(cls, row: list[Any]) -> System:
        """Make a system from a row of JSON values, in the order of the fields."""
        return cls(*_values(row))


@dataclass(frozen=True, slots=True)
class MediaRule:
    """A ``<media>`` of a system. The identifiers are patterns; None matches anything, so does the size 0.

    ``prefix`` is the text that every volume id matched by ``volume_id`` starts with. ``kernel`` and ``initrd``
    are paths on the medium; ``variants`` are ids of the system's variants; ``reboots`` is how often an
    installation from this medium restarts the machine.
    """

    prefix: str
    volume_size: int
    volume_id: str | None
    system_id: str | None
    publisher_id: str | None
    application_id: str | None
    os_id: str
    architecture: str
    live: bool
    installer: bool
    variants: tuple[str, ...]
    kernel: str
    initrd: str
    reboots: int

    @classmethod
    def from_row(cls, row: list[Any]) -> MediaRule:
        """Make a rule from a row of JSON values, in the order of the fields."""
        return cls(*_values(row))


@dataclass(frozen=True, slots=True)
class TreeRule:
    """A ``<tree>`` with a ``<treeinfo>``: patterns over the fields of a ``.treeinfo`` file; None matches anything."""

    os_id: str
    architecture: str
    family: str | None
    version: str | None
    variant: str | None
    arch: str | None
    variants: tuple[str, ...]

    @classmethod
    def from_row(cls, row: list[Any]) -> TreeRule:
        """Make a rule from a row of JSON values, in the order of the fields."""
        return cls(*_values(row))
