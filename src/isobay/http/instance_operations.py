"""What can be done with an instance: CloudMC's operations, each of which answers with a task."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, Struct, UnsetType

from isobay.access import Visit
from isobay.http.endpoint import Call, Endpoints, Function, Reply
from isobay.http.environments import ENVIRONMENT, environment_parameters
from isobay.http.instances import CHANGE_ERRORS, IN_ONE, ONE, begun, read
from isobay.model import Instance
from isobay.model.instance_calls import AttachIso, AttachToInstance, DetachIso, StopInstance

endpoints = Endpoints("instances")


def _operation(
    name: str, summary: str, *, body: type[Struct] | None = None, is_needed: bool = False
) -> Callable[[Function], Function]:
    """An operation on an instance that answers with a task."""
    return endpoints.add(
        "POST",
        ONE,
        summary,
        operation=name,
        returns=Instance,
        body=body,
        body_optional=not is_needed,
        parameters=IN_ONE,
        errors=CHANGE_ERRORS,
        is_task=True,
        activity=f"instance.{name.removesuffix('Iso')}",
        hosted=True,
    )


@_operation("start", "Start an instance")
def start_instance(call: Call) -> Reply:
    """It has to be stopped."""
    here = call.visit("write")
    return begun(call, here, "instance.start", *here.engine.instances.start(here.place, call.path["instance_id"]))


@_operation("stop", "Stop an instance", body=StopInstance)
def stop_instance(call: Call) -> Reply:
    """By its power button, which its system may ignore; with ``forceStop`` by pulling the plug."""
    here = call.visit("write")
    force = read(call, StopInstance).force_stop
    instance, task = here.engine.instances.stop(here.place, call.path["instance_id"], force=force)
    return begun(call, here, "instance.stop", instance, task, force=force)


@_operation("reboot", "Reboot an instance")
def reboot_instance(call: Call) -> Reply:
    """It has to run."""
    here = call.visit("write")
    return begun(call, here, "instance.reboot", *here.engine.instances.reboot(here.place, call.path["instance_id"]))


@_operation("attachIso", "Put an ISO into a drive of an instance", body=AttachIso, is_needed=True)
def attach_iso(call: Call) -> Reply:
    """Running or stopped; what was in the drive is taken out. Without ``slot`` it is the first drive."""
    here = call.visit("write")
    wanted = read(call, AttachIso)
    return _attached(call, here, call.path["instance_id"], wanted.iso_id, wanted.slot)


@endpoints.add(
    "POST",
    f"{ENVIRONMENT}/isos/{{iso_id:str}}",
    "Put an ISO into a drive of an instance",
    operation="attach",
    returns=Instance,
    body=AttachToInstance,
    parameters=environment_parameters("iso_id"),
    errors=CHANGE_ERRORS,
    is_task=True,
    activity="instance.attach",
    hosted=True,
)
def attach_to_instance(call: Call) -> Reply:
    """The same as attachIso, asked of the ISO."""
    here = call.visit("write")
    wanted = read(call, AttachToInstance)
    return _attached(call, here, wanted.instance_id, call.path["iso_id"], wanted.slot)


@_operation("detachIso", "Empty a drive of an instance", body=DetachIso)
def detach_iso(call: Call) -> Reply:
    """Running or stopped. Without ``slot`` it is the first drive."""
    here = call.visit("write")
    slot = _slot(read(call, DetachIso).slot)
    instance, task = here.engine.instances.detach(here.place, call.path["instance_id"], slot)
    return begun(call, here, "instance.detach", instance, task, slot=slot or 0)


@_operation("recover", "Bring a destroyed instance back")
def recover_instance(call: Call) -> Reply:
    """It is stopped then."""
    here = call.visit("write")
    return begun(call, here, "instance.recover", *here.engine.instances.recover(here.place, call.path["instance_id"]))


@_operation("purge", "Take a destroyed instance away for good")
def purge_instance(call: Call) -> Reply:
    """Its disk goes with it."""
    here = call.visit("write")
    return begun(call, here, "instance.purge", *here.engine.instances.purge(here.place, call.path["instance_id"]))


def _attached(call: Call, here: Visit, instance_id: str, iso_id: str, slot: int | UnsetType) -> Reply:
    instance, task = here.engine.instances.attach(here.place, instance_id, iso_id, _slot(slot))
    return begun(call, here, "instance.attach", instance, task, iso=iso_id, slot=_slot(slot) or 0)


def _slot(given: int | UnsetType) -> int | None:
    return None if given is UNSET else given
