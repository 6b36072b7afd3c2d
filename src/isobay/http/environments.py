"""Environments, their zones and OS types."""

from __future__ import annotations

from typing import Any

from isobay.errors import NotFoundError
from isobay.http.endpoint import Call, Endpoints, Reply
from isobay.http.fields import read_body
from isobay.http.lists import TEXT, ListOf
from isobay.model import Environment, OsType, Zone
from isobay.model.requests import EnvironmentEdit, NewEnvironment

ENVIRONMENT = "/services/{service_code:str}/{environment_name:str}"

endpoints = Endpoints("environments")
_environments = ListOf(Environment)
_zones = ListOf(Zone)
_os_types = ListOf(OsType)
_SAID = {
    "service_code": "The service code of a connection, such as compute-on.",
    "environment_name": "The name of an environment, such as test_area.",
}


def path_parameter(name: str, description: str) -> dict[str, Any]:
    """A part of the path, for the OpenAPI document."""
    schema = {"type": "string", "minLength": 1, "pattern": TEXT}
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


def environment_parameters(*more: str) -> tuple[dict[str, Any], ...]:
    """The parts of a path inside an environment."""
    names = [path_parameter(name, said) for name, said in _SAID.items()]
    return (*names, *(path_parameter(name, "The id of the object.") for name in more))


@endpoints.add(
    "GET",
    "/environments",
    "List the environments your key may enter",
    returns=Environment,
    many=True,
    parameters=_environments.parameters(),
    errors=(400, 401),
)
def list_environments(call: Call) -> Reply:
    """Those the caller may enter."""
    identity = call.identity()
    return _environments.of(call, call.services.environments.all(identity))


@endpoints.add(
    "POST",
    "/environments",
    "Make an environment",
    returns=Environment,
    body=NewEnvironment,
    errors=(400, 401, 403, 404, 409),
    activity="environment.create",
)
def create_environment(call: Call) -> Reply:
    """For administrators."""
    identity = call.identity("administer")
    return Reply({"data": call.services.environments.create(identity, read_body(call.body, NewEnvironment))})


@endpoints.add(
    "GET",
    "/environments/{environment_id:str}",
    "Retrieve an environment",
    returns=Environment,
    parameters=(path_parameter("environment_id", "The id of the environment."),),
    errors=(401, 404),
)
def get_environment(call: Call) -> Reply:
    """One that the caller may enter."""
    identity = call.identity()
    return Reply({"data": call.services.environments.get(identity, call.path["environment_id"])})


@endpoints.add(
    "PUT",
    "/environments/{environment_id:str}",
    "Change an environment's name, description or membership",
    returns=Environment,
    body=EnvironmentEdit,
    parameters=(path_parameter("environment_id", "The id of the environment."),),
    errors=(400, 401, 403, 404, 409),
    activity="environment.edit",
)
def edit_environment(call: Call) -> Reply:
    """For its owners and administrators."""
    identity = call.identity("manage")
    edit = read_body(call.body, EnvironmentEdit)
    return Reply({"data": call.services.environments.edit(identity, call.path["environment_id"], edit)})


@endpoints.add(
    "DELETE",
    "/environments/{environment_id:str}",
    "Delete an empty environment",
    parameters=(path_parameter("environment_id", "The id of the environment."),),
    status=204,
    errors=(401, 403, 404, 409),
    wrapped=False,
    activity="environment.delete",
)
def delete_environment(call: Call) -> Reply:
    """For its owners and administrators; refused while it holds an ISO."""
    identity = call.identity("manage")
    call.services.environments.delete(identity, call.path["environment_id"])
    return Reply(status=204)


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/zones",
    "List the zones",
    returns=Zone,
    many=True,
    parameters=environment_parameters() + _zones.parameters(),
    errors=(400, 401, 404),
)
def list_zones(call: Call) -> Reply:
    """The zones of the environment's connection."""
    here = call.visit()
    return _zones.of(call, here.engine.zones(here.place))


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/zones/{{zone_id:str}}",
    "Retrieve a zone",
    returns=Zone,
    parameters=environment_parameters("zone_id"),
    errors=(401, 404),
)
def get_zone(call: Call) -> Reply:
    """One zone of the environment's connection."""
    here = call.visit()
    return Reply({"data": _found(here.engine.zones(here.place), "zones", call.path["zone_id"])})


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/ostypes",
    "List the OS types",
    returns=OsType,
    many=True,
    parameters=environment_parameters() + _os_types.parameters(),
    errors=(400, 401, 404),
)
def list_os_types(call: Call) -> Reply:
    """What an ISO of the environment can be said to hold."""
    here = call.visit()
    return _os_types.of(call, here.engine.os_types(here.place))


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/ostypes/{{os_type_id:str}}",
    "Retrieve an OS type",
    returns=OsType,
    parameters=environment_parameters("os_type_id"),
    errors=(401, 404),
)
def get_os_type(call: Call) -> Reply:
    """One OS type."""
    here = call.visit()
    return Reply({"data": _found(here.engine.os_types(here.place), "ostypes", call.path["os_type_id"])})


def _found(items: list[Any], kind: str, wanted: str) -> Any:
    for item in items:
        if item.id == wanted:
            return item
    raise NotFoundError.of(kind, wanted)
