"""Reading what callers send: every bad field is named, not only the first."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct

from isobay.errors import InvalidFieldsError

T = TypeVar("T", bound=Struct)


def read_body(body: bytes, wanted: type[T]) -> T:
    """Read a JSON object into a struct. Raises InvalidFieldsError that names all bad fields."""
    try:
        given = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise InvalidFieldsError({"body": f"is not JSON ({error})"}) from error
    except RecursionError as error:
        raise InvalidFieldsError({"body": "is nested too deeply"}) from error
    if not isinstance(given, dict):
        raise InvalidFieldsError({"body": "must be a JSON object"})
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    known = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    for name in given.keys() - known.keys():
        problems[name] = f"is not a field here; there are {', '.join(sorted(known))}"
    for name, field in known.items():
        if name in given:
            try:
                values[field.name] = msgspec.convert(given[name], field.type)
            except msgspec.ValidationError as error:
                problems[name] = readable(error)
        elif field.required and field.default is NODEFAULT:
            problems[name] = "is required"
    if problems:
        raise InvalidFieldsError(dict(sorted(problems.items())))
    return wanted(**values)


def readable(error: msgspec.ValidationError) -> str:
    """What is wrong, as a phrase."""
    text = str(error).replace("`", "").replace(" - at $", " at ")
    return text[:1].lower() + text[1:]
