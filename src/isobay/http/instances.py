"""Instances, and the sizes they can have."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Struct

from isobay.access import Visit
from isobay.errors import InvalidFieldsError, NotFoundError
from isobay.http.endpoint import Call, Endpoints, Reply
from isobay.http.environments import ENVIRONMENT, environment_parameters
from isobay.http.fields import given_fields, read_body, read_query
from isobay.http.lists import ListOf
from isobay.http.tasks import started
from isobay.model import ComputeOffering, Instance, InstanceEdit, NewInstance, Task
from isobay.model.instance_calls import DestroyInstance

INSTANCE_ERRORS = (400, 401, 403, 404, 502, 503)
CHANGE_ERRORS = (*INSTANCE_ERRORS, 409)
T = TypeVar("T", bound=Struct)

endpoints = Endpoints("instances")
_instances = ListOf(Instance, searched=("name",))
_offerings = ListOf(ComputeOffering, searched=("name",))
ONE = f"{ENVIRONMENT}/instances/{{instance_id:str}}"
IN_ONE = environment_parameters("instance_id")
# CloudMC's fields for what isobay's instances have not. Its Go client sends some of them empty.
NOT_HERE = frozenset(
    {
        "additionalDiskIops",
        "additionalDiskSizeInGb",
        "affinityGroupId",
        "affinityGroupIds",
        "dedicatedGroupId",
        "diskOfferingId",
        "ipAddress",
        "portsToForward",
        "publicIpIdsToRelease",
        "publicKey",
        "recoveryPoint",
        "sshKeyName",
        "userData",
        "volumeIdToAttach",
        "volumeIdsToDelete",
    }
)
_purge = {
    "name": "purgeImmediately",
    "in": "query",
    "required": False,
    "schema": {"type": "boolean"},
    "description": "As in the body, which some proxies take away from a DELETE.",
}


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/instances",
    "List the environment's instances",
    returns=Instance,
    many=True,
    parameters=environment_parameters() + _instances.parameters(),
    errors=INSTANCE_ERRORS,
    hosted=True,
)
def list_instances(call: Call) -> Reply:
    """Each as its host shows it now. Destroyed ones are there until they are purged."""
    here = call.visit()
    listing = _instances.read(call)
    return _instances.page(listing, here.engine.instances.list(here.place, listing))


@endpoints.add(
    "GET",
    ONE,
    "Retrieve an instance",
    returns=Instance,
    parameters=IN_ONE,
    errors=INSTANCE_ERRORS,
    hosted=True,
)
def get_instance(call: Call) -> Reply:
    """As its host shows it now."""
    here = call.visit()
    return Reply({"data": here.engine.instances.get(here.place, call.path["instance_id"])})


@endpoints.add(
    "POST",
    f"{ENVIRONMENT}/instances",
    "Create an instance from a bootable ISO, and start it",
    returns=Instance,
    body=NewInstance,
    parameters=environment_parameters(),
    errors=CHANGE_ERRORS,
    is_task=True,
    activity="instance.create",
    hosted=True,
)
def create_instance(call: Call) -> Reply:
    """Answers with the task that makes it, and the instance.

    Fields of CloudMC's for what isobay's instances have not are refused, unless they ask for nothing.
    """
    here = call.visit("write")
    instance, task = here.engine.instances.create(here.place, here.identity, read(call, NewInstance))
    return begun(call, here, "instance.create", instance, task, image=instance.image_id)


@endpoints.add(
    "PUT",
    ONE,
    "Rename an instance",
    returns=Instance,
    body=InstanceEdit,
    parameters=IN_ONE,
    errors=CHANGE_ERRORS,
    activity="instance.edit",
    hosted=True,
)
def edit_instance(call: Call) -> Reply:
    """What is left out stays as it is."""
    here = call.visit("write")
    edit = read(call, InstanceEdit)
    instance = here.engine.instances.edit(here.place, call.path["instance_id"], edit)
    record(call, here, "instance.edit", instance, changed=given_fields(edit))
    return Reply({"data": instance})


@endpoints.add(
    "DELETE",
    ONE,
    "Destroy an instance, or purge it too",
    returns=Instance,
    body=DestroyInstance,
    body_optional=True,
    parameters=(*IN_ONE, _purge),
    errors=CHANGE_ERRORS,
    is_task=True,
    activity="instance.destroy",
    hosted=True,
)
def destroy_instance(call: Call) -> Reply:
    """It is stopped by force, and can be recovered until it is purged."""
    here = call.visit("write")
    purge = read(call, DestroyInstance).purge_immediately or _purges(call)
    instance, task = here.engine.instances.destroy(here.place, call.path["instance_id"], purge=purge)
    return begun(call, here, "instance.destroy", instance, task, purge=purge)


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/computeofferings",
    "List the sizes that an instance can have",
    returns=ComputeOffering,
    many=True,
    parameters=environment_parameters() + _offerings.parameters(),
    errors=(400, 401, 403, 404),
)
def list_compute_offerings(call: Call) -> Reply:
    """The size of a custom one is given with the instance."""
    here = call.visit()
    return _offerings.of(call, here.engine.instances.offerings(here.place))


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/computeofferings/{{compute_offering_id:str}}",
    "Retrieve a compute offering",
    returns=ComputeOffering,
    parameters=environment_parameters("compute_offering_id"),
    errors=(401, 403, 404),
)
def get_compute_offering(call: Call) -> Reply:
    """One of them."""
    here = call.visit()
    wanted = call.path["compute_offering_id"]
    for each in here.engine.instances.offerings(here.place):
        if each.id == wanted:
            return Reply({"data": each})
    raise NotFoundError.of("computeofferings", wanted)


def read(call: Call, wanted: type[T]) -> T:
    """Read the body, where none is an empty object. Raises InvalidFieldsError."""
    return read_body(call.body or b"{}", wanted, not_here=NOT_HERE)


def _purges(call: Call) -> bool:
    given = dict(read_query(call.query))
    if unknown := given.keys() - {"purgeImmediately"}:
        raise InvalidFieldsError(dict.fromkeys(sorted(unknown), "is not a parameter here; there is purgeImmediately"))
    value = given.get("purgeImmediately", "false").lower()
    if value not in ("true", "false"):
        raise InvalidFieldsError({"purgeImmediately": "must be true or false"})
    return value == "true"


def begun(call: Call, here: Visit, operation: str, instance: Instance, task: Task, **details: Any) -> Reply:
    """Write a change into the log, and answer with the task that does it and the instance."""
    record(call, here, operation, instance, **details)
    return Reply(started(task, instance))


def record(call: Call, here: Visit, operation: str, instance: Instance, **details: Any) -> None:
    """Write a change into the log."""
    call.services.door.record(
        here.identity,
        operation,
        environment_id=here.place.environment_id,
        object_id=instance.id,
        name=instance.name,
        **details,
    )
