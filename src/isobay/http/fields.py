"""Reading what callers send: every bad field is named, not only the first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import NODEFAULT, UNSET, Struct

from isobay.errors import InvalidFieldsError

T = TypeVar("T", bound=Struct)
Explain = Callable[[str], str]
NOTHING: Mapping[str, Explain] = {}
QUERY_LENGTH = 16_384
_PATTERN = re.compile(r"`str` matching regex .*")


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


_decode = msgspec.json.Decoder(float_hook=_number).decode  # 5.0 is a whole number in JSON Schema, and so here


def read_body(
    body: bytes,
    wanted: type[T],
    explained: Mapping[str, Explain] = NOTHING,
    not_here: frozenset[str] = frozenset(),
) -> T:
    """Read a JSON object into a struct. Raises InvalidFieldsError that names all bad fields.

    ``explained`` says of a field's text what is wrong with it, where the type knows it only in general. ``not_here``
    are fields of CloudMC's that isobay has nothing for: they are passed over where they ask for nothing.
    """
    try:
        given = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidFieldsError({"body": f"is not JSON ({error})"}) from error
    except RecursionError as error:
        raise InvalidFieldsError({"body": "is nested too deeply"}) from error
    if not isinstance(given, dict):
        raise InvalidFieldsError({"body": "must be a JSON object"})
    return read_values(given, wanted, explained, not_here)


def read_values(
    given: dict[str, Any],
    wanted: type[T],
    explained: Mapping[str, Explain] = NOTHING,
    not_here: frozenset[str] = frozenset(),
) -> T:
    """Read values by their names into a struct. Raises InvalidFieldsError that names all bad fields."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    known = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    for name in given.keys() - known.keys():
        if name not in not_here:
            problems[name] = f"is not a field here; there are {', '.join(sorted(known))}"
        elif given[name]:
            problems[name] = "is a field of CloudMC's that isobay has nothing for; leave it out"
    for name, field in known.items():
        if name in given:
            try:
                values[field.name] = msgspec.convert(given[name], field.type)
            except msgspec.ValidationError as error:
                problems[name] = _explained(explained, name, given[name]) or readable(error, field.type)
        elif field.required and field.default is NODEFAULT:
            problems[name] = "is required"
    if problems:
        raise InvalidFieldsError(dict(sorted(problems.items())))
    return wanted(**values)


def given_fields(edit: Struct) -> list[str]:
    """The fields of an edit that were given, as the API names them."""
    return [field.encode_name for field in msgspec.structs.fields(edit) if getattr(edit, field.name) is not UNSET]


def read_query(query: bytes) -> list[tuple[str, str]]:
    """Read a query string. Raises InvalidFieldsError for one that is far too long."""
    if len(query) > QUERY_LENGTH:
        raise InvalidFieldsError({"query": f"must have at most {QUERY_LENGTH} bytes"})
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def readable(error: msgspec.ValidationError, kind: Any) -> str:
    """What is wrong, as a phrase. Patterns mean nothing to people: a type may say in words what is wanted."""
    inspected = msgspec.inspect.type_info(kind)
    if isinstance(inspected, msgspec.inspect.LiteralType):
        return f"must be one of {', '.join(map(str, inspected.values))}"
    text = _PATTERN.sub(_wanted(kind), str(error)).replace("`", "").replace(" - at $", " at ")
    return text[:1].lower() + text[1:]


def _explained(explained: Mapping[str, Explain], name: str, value: Any) -> str:
    return explained[name](value) if name in explained and isinstance(value, str) else ""


def _wanted(kind: Any) -> str:
    inspected = msgspec.inspect.type_info(kind)
    extra = inspected.extra if isinstance(inspected, msgspec.inspect.Metadata) else None
    return str((extra or {}).get("wanted", "text without control characters or others that are not allowed here"))
