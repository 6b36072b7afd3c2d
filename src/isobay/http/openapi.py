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
    401: "No key, or one that nobody has.",
    403: "A known key without the right.",
    404: "Missing, or not to be seen with this key.",
    409: "The name or code is taken.",
    413: "The body is larger than the limit.",
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
# What the rooms below demand of fields together, and a struct cannot say.
_RULES: dict[str, dict[str, Any]] = {
    "IsoEdit": {"not": {"required": ["visibility", "availablePublicly"]}},
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


def document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """Build the document."""
    types = {each.described.returns for each in endpoints} | {each.described.body for each in endpoints}
    named = sorted((kind for kind in types if kind), key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components([*named, Metadata], ref_template=_REF)
    for kind in {each.described.body for each in endpoints if each.described.body}:
        schemas[kind.__name__]["additionalProperties"] = False
    for name, rule in _RULES.items():
        schemas[name] |= rule
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        paths.setdefault(ROOT + each.path.replace(":str}", "}"), {})[each.method.lower()] = _operation(each)
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


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    said = endpoint.described
    errors = {*said.errors, *([413] if said.body else [])}
    operation: dict[str, Any] = {
        "operationId": said.operation_id,
        "summary": said.summary,
        "description": (endpoint.function.__doc__ or "").strip(),
        "tags": [said.tag],
        "parameters": list(said.parameters),
        "responses": {
            str(said.status): _success(endpoint),
            **{str(status): _failure(status) for status in sorted(errors)},
        },
    }
    if said.body:
        schema = {"$ref": _REF.format(name=said.body.__name__)}
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return operation


def _failure(status: int) -> dict[str, Any]:
    return {"description": _SAID[status], "content": {JSON: {"schema": {"$ref": _REF.format(name="Errors")}}}}


def _success(endpoint: Endpoint) -> dict[str, Any]:
    said = endpoint.described
    if said.status == 204:
        return {"description": "Done; there is nothing to say."}
    if said.media_type != JSON:
        return {"description": "The bytes.", "content": {said.media_type: {}}}
    return {"description": "The answer.", "content": {JSON: {"schema": _envelope(endpoint)}}}


def _envelope(endpoint: Endpoint) -> dict[str, Any]:
    said = endpoint.described
    if not said.wrapped:
        return {"$ref": _REF.format(name="Started")}
    item = {"$ref": _REF.format(name=said.returns.__name__)}
    if not said.many:
        return {"type": "object", "required": ["data"], "properties": {"data": item}}
    return {
        "type": "object",
        "required": ["data", "metadata"],
        "properties": {
            "data": {"type": "array", "items": item},
            "metadata": {"$ref": _REF.format(name=Metadata.__name__)},
        },
    }
