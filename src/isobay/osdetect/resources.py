"""What an operating system needs of a machine, as libosinfo's rules say it.

osinfo-db gives ``<resources>`` for an architecture or for ``all``, with levels of which ``recommended`` and
``minimum`` matter here. One that inherits has what the system has that it derives from.
"""

from __future__ import annotations

from dataclasses import dataclass

from isobay.osdetect.rules import Rules

__all__ = ["Resources", "resources_of"]

LEVELS = ("minimum", "recommended")  # the later wins


@dataclass(frozen=True, slots=True)
class Resources:
    """Processors, and bytes of memory and of disk; 0 where the rules do not say."""

    cpus: int = 0
    memory: int = 0
    disk: int = 0


def resources_of(rules: Rules, os_id: str, architecture: str) -> Resources:
    """Return what is recommended for a system on an architecture; where nothing is, its minimum."""
    amounts = _amounts(rules, os_id, architecture)
    return Resources(
        cpus=max(amounts.get("n-cpus", 0), 0),
        memory=max(amounts.get("ram", 0), 0),
        disk=max(amounts.get("storage", 0), 0),
    )


def _amounts(rules: Rules, os_id: str, architecture: str) -> dict[str, int]:
    waiting, seen = [os_id], set[str]()
    while waiting:
        system = rules.system(waiting.pop(0))
        if system is None or system.os_id in seen:
            continue
        seen.add(system.os_id)
        found: dict[str, int] = {}
        for name in ("all", architecture):
            for level in LEVELS:
                found |= system.resources.get(name, {}).get(level, {})
        if found:
            return found
        waiting += system.derives_from
    return {}
