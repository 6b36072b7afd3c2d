"""The sizes of instances: those on offer, and what a system needs."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from msgspec import UNSET, Struct

from isobay.errors import InvalidFieldsError, NotFoundError
from isobay.model import ComputeOffering, Iso, NewInstance
from isobay.model.instance import MAX_CPUS, MAX_DISK_GB, MAX_MEMORY_MB, MIN_MEMORY_MB
from isobay.osdetect import Rules, resources_of

# What a system gets of which the rules say nothing: enough for the installers of small ones.
CPUS, MEMORY_MB, DISK_GB = 1, 1024, 20


class Size(Struct, frozen=True):
    """What an instance has: processors, MiB of memory, GiB of disk."""

    offering_id: str
    cpu_count: int
    memory_mb: int
    disk_gb: int


def _offering(name: str, cpu_count: int = 0, memory_gb: int = 0) -> ComputeOffering:
    return ComputeOffering(
        id=str(uuid5(NAMESPACE_URL, f"urn:isobay:computeoffering:{name}")),
        name=name,
        cpu_count=cpu_count,
        memory_in_mb=memory_gb << 10,
        custom=not cpu_count,
    )


CUSTOM = _offering("Custom")
OFFERINGS = (
    _offering("1vCPU.1GB", 1, 1),
    _offering("1vCPU.2GB", 1, 2),
    _offering("2vCPU.4GB", 2, 4),
    _offering("4vCPU.8GB", 4, 8),
    _offering("8vCPU.16GB", 8, 16),
    CUSTOM,
)


def offering(offering_id: str) -> ComputeOffering:
    """The offering with this id. Raises NotFoundError."""
    for each in OFFERINGS:
        if each.id == offering_id:
            return each
    raise NotFoundError.of("computeofferings", offering_id)


def name_of(offering_id: str) -> str:
    """What an instance's offering is called; empty for one that is not on offer any more."""
    return next((each.name for each in OFFERINGS if each.id == offering_id), "")


def size_of(wanted: NewInstance, iso: Iso, rules: Rules) -> Size:
    """The size that is asked for; what is not said is what the ISO's system needs, as far as the rules know it."""
    chosen = CUSTOM if wanted.compute_offering_id is UNSET else offering(wanted.compute_offering_id)
    given = {"cpuCount": wanted.cpu_count, "memoryInMB": wanted.memory_in_mb}
    if not chosen.custom and any(value is not UNSET for value in given.values()):
        raise InvalidFieldsError(
            {
                name: f"comes with the compute offering {chosen.name}; leave it out, or take {CUSTOM.name}"
                for name, value in given.items()
                if value is not UNSET
            }
        )
    needs = resources_of(rules, iso.os_id, iso.architecture)
    return Size(
        offering_id=chosen.id,
        cpu_count=chosen.cpu_count or _given(wanted.cpu_count, _between(1, needs.cpus or CPUS, MAX_CPUS)),
        memory_mb=chosen.memory_in_mb
        or _given(wanted.memory_in_mb, _between(MIN_MEMORY_MB, (needs.memory >> 20) or MEMORY_MB, MAX_MEMORY_MB)),
        disk_gb=_given(wanted.root_volume_size_in_gb, _between(1, -(-needs.disk >> 30) or DISK_GB, MAX_DISK_GB)),
    )


def _given(value: int | object, default: int) -> int:
    return value if isinstance(value, int) else default


def _between(least: int, value: int, most: int) -> int:
    return min(max(value, least), most)
