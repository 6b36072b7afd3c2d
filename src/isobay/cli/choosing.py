"""Which object a word on the command line means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from isobay.errors import InvalidFieldsError, NotFoundError
from isobay.model import (
    ApiKey,
    ComputeOffering,
    Environment,
    Instance,
    Iso,
    Listing,
    OsType,
    Task,
    Zone,
    read_record,
)

if TYPE_CHECKING:  # what is heavy is loaded when a command runs
    from isobay.access import Visit
    from isobay.app import Isobay

T = TypeVar("T", Environment, ApiKey, Instance, ComputeOffering)
NEWEST = 1000  # tasks among which the beginning of an id is looked for
SHORTEST = 4  # characters of an id: fewer are more likely a slip than a choice
ID_LENGTH = 36


def the_iso(visit: Visit, word: str) -> Iso:
    """The ISO that is meant by an id, a name that only one has, or the beginning of only one id.

    Raises NotFoundError for none, InvalidFieldsError for several.
    """
    try:
        return visit.engine.get_iso(visit.place, word)
    except NotFoundError:
        named = visit.engine.list_isos(visit.place, Listing(filters=(("name", word),), limit=2))
        found = list(map(read_record, named.items)) or _beginning_with(visit, word.lower())
        if len(found) > 1:
            raise _several("ISOs", word) from None
        if not found:
            raise
        return visit.engine.get_iso(visit.place, found[0].id)  # which tells more than what lists have


def _beginning_with(visit: Visit, word: str) -> list[Iso]:
    if not SHORTEST <= len(word) < ID_LENGTH or not set(word) <= set("0123456789abcdef-"):
        return []
    found = []
    for records in visit.engine.stream_isos(visit.place, Listing()):
        found += [iso for iso in map(read_record, records) if iso.id.startswith(word)]
        if len(found) > 1:
            break
    return found


def the_instance(visit: Visit, word: str) -> Instance:
    """The instance that is meant by an id, a name that only one has, or the beginning of only one id.

    Raises NotFoundError for none, InvalidFieldsError for several.
    """
    return the_only("instances", visit.engine.instances.list(visit.place, Listing()).items, word)


def the_offering(visit: Visit, word: str) -> ComputeOffering:
    """The compute offering that is meant, as ``the_instance`` is."""
    offerings = visit.engine.instances.offerings(visit.place)
    try:
        return the_only("computeofferings", offerings, word)
    except NotFoundError as error:
        names = ", ".join(each.name for each in offerings)
        raise NotFoundError(f"There is no offering {word!r}; there are {names}.", **error.context) from error


def the_others(built: Isobay, visit: Visit, names: Sequence[str]) -> Sequence[str]:
    """The ids of other environments of the service by their names. Raises NotFoundError for a name that is none."""
    try:
        return built.environments.named(visit.identity, visit.place, names) if names else ()
    except NotFoundError as error:
        raise NotFoundError(
            f"There is no environment {error.context['id']!r} in this service. `isobay environments list` shows them.",
            **error.context,
        ) from error


def the_os_type(visit: Visit, word: str) -> OsType:
    """The OS type that is meant by an id, a name in any case, or a libosinfo id. Raises NotFoundError."""
    types = visit.engine.os_types(visit.place)
    for each in types:
        if word in (each.id, each.os_id) or word.casefold() == each.name.casefold():
            return each
    near = [each.name for each in types if word.casefold() in each.name.casefold()][:5]
    hint = (
        f"Did you mean {' or '.join(near)}?"
        if near
        else "Give part of its name, such as Debian, to be told the names that have it, or its libosinfo id."
    )
    raise NotFoundError(f"There is no OS type {word!r}. {hint}", type="ostypes", id=word)


def the_zone(visit: Visit, word: str) -> Zone:
    """The zone that is meant by an id or a name. Raises NotFoundError."""
    zones = visit.engine.zones(visit.place)
    for each in zones:
        if word in (each.id, each.name):
            return each
    names = ", ".join(each.name for each in zones)
    raise NotFoundError(f"There is no zone {word!r}; there are {names}.", type="zones", id=word)


def the_task(built: Isobay, word: str) -> Task:
    """The task that is meant by an id, or by the beginning of only one among the newest.

    Raises NotFoundError for none, InvalidFieldsError for several.
    """
    from isobay.access import OPERATOR

    try:
        return built.records.task(OPERATOR, word)
    except NotFoundError:
        with built.catalog.reading() as tx:
            newest = built.catalog.tasks.newest(tx, NEWEST)
        found = [each for each in newest if len(word) >= SHORTEST and each.id.startswith(word.lower())]
        if len(found) > 1:
            raise _several("tasks", word) from None
        if not found:
            raise
        return found[0]


def the_only(kind: str, objects: Sequence[T], word: str) -> T:
    """The object that is meant by an id, a name that only one has, or the beginning of only one id.

    Raises NotFoundError for none, InvalidFieldsError for several.
    """
    found = [each for each in objects if each.id == word] or [each for each in objects if each.name == word]
    if not found and len(word) >= SHORTEST:
        found = [each for each in objects if each.id.startswith(word.lower())]
    if len(found) > 1:
        raise _several(kind, word)
    if not found:
        raise NotFoundError.of(kind, word)
    return found[0]


def _several(kind: str, word: str) -> InvalidFieldsError:
    return InvalidFieldsError({"id": f"{word!r} may be several {kind}; give the whole id"})
