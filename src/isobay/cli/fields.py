"""Values from the command line, checked as the API checks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from isobay.clock import written
from isobay.errors import InvalidFieldsError
from isobay.http.fields import readable

T = TypeVar("T", bound=Struct)
NOTHING: Mapping[str, str] = {}


def checked(kind: type[T], values: Mapping[str, Any], options: Mapping[str, str] = NOTHING) -> T:
    """Make a struct of the values that are not None. Raises InvalidFieldsError that names all bad ones.

    ``options`` has those whose option is not called as the field is.
    """
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    problems: dict[str, str] = {}
    good: dict[str, Any] = {}
    for name, value in values.items():
        if value is not None:
            try:
                good[name] = msgspec.convert(value, types[name])
            except msgspec.ValidationError as error:
                problems[options.get(name) or name.replace("_", "-")] = readable(error, types[name])
    if problems:
        raise InvalidFieldsError(problems)
    return kind(**good)


def filters(kind: type[Struct], names: Iterable[str], given: Iterable[str]) -> dict[str, Any]:
    """Read ``field=value`` texts, the fields spelled as the API does. Raises InvalidFieldsError."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind) if field.name in names}
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        field = fields.get(name)
        if field is None or not equals:
            raise InvalidFieldsError({name: f"is no field=value; the fields are {', '.join(sorted(fields))}"})
        try:
            found[field.name] = msgspec.convert(value, field.type, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidFieldsError({name: readable(error, field.type)}) from error
    return found


def field_named(kind: type[Struct], names: Iterable[str], shown: str) -> str:
    """The field that the API shows under a name. Raises InvalidFieldsError."""
    fields = {field.encode_name: field.name for field in msgspec.structs.fields(kind) if field.name in names}
    if shown not in fields:
        raise InvalidFieldsError({"sort-by": f"must be one of {', '.join(sorted(fields))}"})
    return fields[shown]


def moment(name: str, text: str) -> str:
    """A day or a moment, as the catalogue writes moments; without a zone it is UTC. Raises InvalidFieldsError."""
    try:
        found = datetime.fromisoformat(text)
        return written(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise InvalidFieldsError({name: "must be a day or a moment, as 2027-01-31 or 2027-01-31T08:00:00Z"}) from error
