"""What ISOs show when they are booted: asked for, and as pictures."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from isobay.http.endpoint import Call, Endpoints, Reply
from isobay.http.environments import ENVIRONMENT, environment_parameters
from isobay.http.instance_screens import PNG
from isobay.http.ranges import Validators, is_unchanged
from isobay.http.tasks import started
from isobay.model import Iso

endpoints = Endpoints("isos")
_ONE = f"{ENVIRONMENT}/isos/{{iso_id:str}}"


@endpoints.add(
    "POST",
    _ONE,
    "Boot an ISO in a throw-away guest to see what it shows",
    operation="prove",
    returns=Iso,
    parameters=environment_parameters("iso_id"),
    errors=(400, 401, 403, 404, 409),
    is_task=True,
    activity="iso.prove",
)
def prove_iso(call: Call) -> Reply:
    """Answers with the task that boots it, and the ISO, whose bootProof then says what came of it."""
    here = call.visit("write")
    iso, task = here.engine.prove_iso(here.place, call.path["iso_id"])
    call.services.door.record(
        here.identity, "iso.prove", environment_id=here.place.environment_id, object_id=iso.id, name=iso.name
    )
    return Reply(started(task, iso))


@endpoints.add(
    "GET",
    f"{_ONE}/picture",
    "See what an ISO shows when it is booted",
    parameters=environment_parameters("iso_id"),
    errors=(401, 403, 404),
    media_type=PNG,
    wrapped=False,
)
def get_picture(call: Call) -> Reply:
    """The last screen of its newest boot proof, a PNG of at most 1 MiB."""
    here = call.visit()
    png = here.engine.iso_picture(here.place, call.path["iso_id"])
    # It has no date that anybody could compare with, only its tag.
    validators = Validators(sha256(png).hexdigest(), datetime.fromtimestamp(0, UTC))
    conditions = {name: value for name, value in call.headers().items() if name == "if-none-match"}
    headers = {"ETag": validators.etag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    if is_unchanged(conditions, validators):
        return Reply(status=304, headers=headers)
    return Reply(png, media_type=PNG, headers=headers)
