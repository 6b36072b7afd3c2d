"""What an instance shows: a picture of it now, and a ticket to its console."""

from __future__ import annotations

from isobay.http.endpoint import Call, Endpoints, Reply
from isobay.http.instances import CHANGE_ERRORS, IN_ONE, ONE, record
from isobay.http.links import beginning
from isobay.http.paths import console_url
from isobay.model.instance_calls import Console

PNG = "image/png"

endpoints = Endpoints("instances")


@endpoints.add(
    "POST",
    ONE,
    "Ask for a ticket to an instance's console",
    operation="getConsole",
    returns=Console,
    parameters=IN_ONE,
    errors=CHANGE_ERRORS,
    activity="instance.console",
    hosted=True,
)
def get_console_ticket(call: Call) -> Reply:
    """Answers with the ``url`` of a WebSocket, which has to be opened within a minute; its key is needed no more."""
    here = call.visit("write")
    instance = here.engine.instances.get(here.place, call.path["instance_id"])
    here.engine.instances.console(here.place, instance.id)  # what stands in the way is said now
    token, expires = call.services.tickets.issue(instance.id, here.place.environment_id, here.identity.key_id)
    record(call, here, "instance.console", instance)
    return Reply({"data": Console(console_url(beginning(call), token), expires)})


@endpoints.add(
    "GET",
    f"{ONE}/screenshot",
    "See what an instance shows",
    parameters=IN_ONE,
    errors=CHANGE_ERRORS,
    media_type=PNG,
    wrapped=False,
    hosted=True,
)
def get_screenshot(call: Call) -> Reply:
    """A PNG of its screen as it is now. It has to run."""
    here = call.visit()
    screen = here.engine.instances.screen(here.place, call.path["instance_id"])
    return Reply(screen.png, media_type=PNG, headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
