"""The OpenAPI 3.1 document, made from the endpoints and the structs they speak in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from isobay.http.endpoint import JSON, Endpoint
from isobay.http.lists import Metadata
from isobay.http.paths import ROOT

_REF = "#/components/schemas/{name}"
_SAID = {
    400: "A field, a parameter or the operation is wrong, or the object's state does not allow it.",
    401: "No key, one that nobody has, or one that expired.",
    403: "A known key without the right.",
    404: "Missing, or not to be seen with this key.",
    409: "The name is taken, or what is there does not allow it.",
    405: "The header names no method that is here.",
    408: "The body broke off, or nothing more of it came for too long.",
    412: "There is another version than the headers ask for.",
    413: "The body is larger than the limit.",
    415: "The body is of a type that is not taken here.",
    416: "No part of what the header Range asks for is there.",
    423: "Somebody else sends bytes of it now.",
    460: "The bytes are not those that Upload-Checksum promises.",
    429: "More requests than a key or an address may make in a minute.",
    502: "The host that runs guests answers that it cannot do it.",
    503: "More of this is going on than isobay does at once, or a part that is needed does not answer.",
    507: "The disk has no room.",
}
_ERROR = {
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["code", "errorCode", "message", "context"],
                "properties": {
                    "code": {"type": "integer"},
                    "errorCode": {"type": "string"},
                    "message": {"type": "string"},
                    "context": {"type": "object"},
                },
            },
        }
    },
}
_STARTED = {
    "type": "object",
    "required": ["taskId", "taskStatus"],
    "properties": {
        "taskId": {"type": "string"},
        "taskStatus": {"type": "string", "enum": ["PENDING", "SUCCESS", "FAILED"]},
    },
}
_NO_SIGNATURE: dict[str, Any] = {"properties": {"signatureUrl": {"const": ""}}}
_SUMS_FILE: dict[str, Any] = {"required": ["checksumUrl"], "properties": {"checksumUrl": {"minLength": 1}}}
# What the rooms below demand of fields together, and a struct cannot say.
_RULES: dict[str, dict[str, Any]] = {
    "IsoEdit": {
        "not": {"required": ["visibility", "availablePublicly"]},
        "if": {"required": ["visibility"], "properties": {"visibility": {"const": "shared"}}},
        "then": {"required": ["sharedWith"]},
        "else": {"properties": {"sharedWith": False}},
    },
    "NewIso": {"if": _NO_SIGNATURE, "else": _SUMS_FILE},
    "KeyRequest": {
        "if": {"properties": {"role": {"const": "administrator"}}},
        "then": {"properties": {"environments": {"maxItems": 0}}},
        "else": {"required": ["environments"], "properties": {"environments": {"minItems": 1}}},
    },
}
_DESCRIPTION = (
    "CloudMC's REST API for ISOs, served by isobay. The roots /v1, /api/v1 and /api/v2 have the same handlers; "
    "collections are matched without regard to case. Without page_number, page_size and cursor a list is given whole."
)


def _schemas(kinds: Sequence[Any]) -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    # OpenAPI's patterns are those of ECMA-262, where $ is the very end and \Z is nothing.
    return dict(msgspec.json.decode(msgspec.json.encode(schemas).replace(rb'\\Z"', b'$"')))


def document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """Build the document."""
    types = {each.described.returns for each in endpoints} | {each.described.body for each in endpoints}
    named = sorted((kind for kind in types if kind), key=lambda kind: kind.__name__)
    schemas = _schemas([*named, Metadata])
    for kind in {each.described.body for each in endpoints if each.described.body}:
        schemas[kind.__name__]["additionalProperties"] = False
    for name, rule in _RULES.items():
        schemas[name] |= rule
    together: dict[tuple[str, str], list[Endpoint]] = {}
    for each in endpoints:
        together.setdefault((ROOT + each.path.replace(":str}", "}"), each.method.lower()), []).append(each)
    paths: dict[str, dict[str, Any]] = {}
    for (path, method), several in together.items():
        paths.setdefault(path, {})[method] = _operation(several)
    return {
        "openapi": "3.1.0",
        "info": {"title": "isobay", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Errors": _ERROR, "Started": _STARTED},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "MC-Api-Key"}},
        },
    }


def _operation(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    first = endpoints[0].described
    has_body = any(each.described.body for each in endpoints)
    errors = {429}.union(*(each.described.errors for each in endpoints), {408, 413} if has_body else ())
    operation: dict[str, Any] = {
        "operationId": first.operation_id,
        "summary": "; ".join(each.described.summary for each in endpoints),
        "description": " ".join(_description(each) for each in endpoints),
        "tags": [first.tag],
        "parameters": [*first.parameters, *_operations(endpoints)],
        "responses": {
            str(first.status): _success(endpoints),
            **{str(status): _failure(status) for status in sorted(errors)},
        },
    }
    if first.redirects:
        operation["responses"]["302"] = {"description": "The bytes are where the header Location leads, for a while."}
    if first.takes:
        operation["requestBody"] = {"content": {first.takes: {}}}
    bodies = {each.described.body.__name__ for each in endpoints if each.described.body}
    if bodies:
        schemas = [{"$ref": _REF.format(name=name)} for name in sorted(bodies)]
        schema = {"anyOf": schemas} if len(schemas) > 1 else schemas[0]
        is_required = all(each.described.body and not each.described.body_optional for each in endpoints)
        operation["requestBody"] = {"required": is_required, "content": {JSON: {"schema": schema}}}
    return operation


def _description(endpoint: Endpoint) -> str:
    said = (endpoint.function.__doc__ or "").strip()
    return f"operation={endpoint.operation}: {said}" if endpoint.operation else said


def _operations(endpoints: Sequence[Endpoint]) -> list[dict[str, Any]]:
    names = [each.operation for each in endpoints if each.operation]
    if not names:
        return []
    is_required = len(names) == len(endpoints)
    said = "What to do." if is_required else "What to do instead."
    schema = {"type": "string", "enum": names}
    return [{"name": "operation", "in": "query", "required": is_required, "schema": schema, "description": said}]


def _failure(status: int) -> dict[str, Any]:
    return {"description": _SAID[status], "content": {JSON: {"schema": {"$ref": _REF.format(name="Errors")}}}}


def _success(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    said = endpoints[0].described
    if said.status == 204:
        return {"description": "Done; there is nothing to say."}
    if said.media_type != JSON:
        return {"description": "The bytes.", "content": {said.media_type: {}}}
    envelopes: list[dict[str, Any]] = []
    for each in map(_envelope, endpoints):
        envelopes += [each] if each not in envelopes else []
    schema = {"anyOf": envelopes} if len(envelopes) > 1 else envelopes[0]
    return {"description": "The answer.", "content": {JSON: {"schema": schema}}}


def _envelope(endpoint: Endpoint) -> dict[str, Any]:
    said = endpoint.described
    if not said.wrapped:
        return {"$ref": _REF.format(name="Started")}
    item = {"$ref": _REF.format(name=said.returns.__name__)}
    if not said.many:
        envelope = {"type": "object", "required": ["data"], "properties": {"data": item}}
        return {"allOf": [{"$ref": _REF.format(name="Started")}, envelope]} if said.is_task else envelope
    return {
        "type": "object",
        "required": ["data", "metadata"],
        "properties": {
            "data": {"type": "array", "items": item},
            "metadata": {"$ref": _REF.format(name=Metadata.__name__)},
        },
    }
