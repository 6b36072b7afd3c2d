"""Links to download by, as they are told to the key that asked for them."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from isobay.http.endpoint import Call
from isobay.http.paths import DOWNLOADS, ROOT
from isobay.model import Task
from isobay.transfer.links import Link

LONGEST_NAME = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def with_url(call: Call, task: Task) -> Task:
    """The task of a link with the link in its result, and any other as it is.

    The link is made anew each time and kept nowhere. That the task is told at all is for who may read it.
    """
    kept = task.result or {}
    if "keyId" not in kept:
        return task
    expires = int(datetime.fromisoformat(kept["expires"]).timestamp())
    token = call.services.links.token(Link(task.subject, task.environment_id, expires))
    name = _UNSAFE.sub("-", kept["name"].removesuffix(".iso"))[:LONGEST_NAME].strip(".-") or "image"
    url = f"{beginning(call)}{ROOT}/{DOWNLOADS}/{token}/{name}.iso"
    return msgspec.structs.replace(task, result={"url": url, "expires": kept["expires"]})


def beginning(call: Call) -> str:
    """What links begin with: scheme, host and port as the caller reaches them, without a slash at the end."""
    settings = call.services.settings
    if settings.public_url:
        return settings.public_url.rstrip("/")
    return f"{call.scheme}://{call.headers().get('host') or f'{settings.host}:{settings.port}'}"
