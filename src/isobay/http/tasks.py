"""Tasks, for both generations of CloudMC's clients at once."""

from __future__ import annotations

from math import ceil
from typing import Any

import msgspec
from msgspec import Struct

from isobay.http.endpoint import Call, Endpoints, Reply
from isobay.http.environments import path_parameter
from isobay.http.links import with_url
from isobay.http.responses import EVENT_STREAM, Event
from isobay.model import Task

endpoints = Endpoints("tasks")
_encode = msgspec.json.Encoder().encode
_TASK = (path_parameter("task_id", "The id of the task."),)


@endpoints.add(
    "GET",
    "/tasks/{task_id:str}",
    "Follow a task",
    parameters=_TASK,
    errors=(401, 403, 404),
    wrapped=False,
)
def get_task(call: Call) -> Reply:
    """The task as the JavaScript client reads it, and under ``data`` as the Go client does."""
    return Reply(told(with_url(call, _task(call))))


@endpoints.add(
    "GET",
    "/tasks/{task_id:str}/events",
    "Follow a task without asking again and again",
    parameters=_TASK,
    errors=(401, 403, 404, 503),
    media_type=EVENT_STREAM,
    wrapped=False,
)
def follow_task(call: Call) -> Reply:
    """Server-sent events: ``progress`` now and whenever the task changed, ``end`` when it ended.

    Who connects again, and knew the end already, is answered with 204.
    """

    def look() -> Event:
        task = _task(call)
        has_ended = task.status != "PENDING"
        return Event("end" if has_ended else "progress", _encode(told(with_url(call, task))), has_ended)

    return Reply(look=look)


@endpoints.add(
    "POST",
    "/tasks/{task_id:str}",
    "Cancel a task",
    operation="cancel",
    parameters=_TASK,
    errors=(400, 401, 403, 404, 409),
    wrapped=False,
    activity="task.cancel",
)
def cancel_task(call: Call) -> Reply:
    """Whoever works on it stops soon, and then it is FAILED. What an import fetched stays, for another try."""
    identity = call.identity("write")
    task = call.services.records.cancel(identity, call.path["task_id"])
    call.services.door.record(
        identity, "task.cancel", environment_id=task.environment_id, object_id=task.id, subject=task.subject
    )
    return Reply(told(task))


def started(task: Task, subject: Struct | None = None) -> dict[str, Any]:
    """The envelope of an asynchronous call, with what it made or found."""
    body = {"taskId": task.id, "taskStatus": task.status}
    return {**body, "data": subject} if subject else body


def told(task: Task) -> dict[str, Any]:
    """The envelope of a task."""
    inner = {"id": task.id, "status": task.status, "created": task.created}
    body: dict[str, Any] = {
        **started(task),
        "result": task.result,
        "progress": task.progress,
        "message": task.message,
        "bytesDone": task.bytes_done,
        "bytesTotal": task.bytes_total,
        "bytesPerSecond": task.bytes_per_second,
        "secondsLeft": _seconds_left(task),
        # CloudMC's Go client dies of a result that is null.
        "data": inner if task.result is None else {**inner, "result": task.result},
    }
    if task.status == "FAILED":
        body["errors"] = task.errors
    return body


def _task(call: Call) -> Task:
    return call.services.records.task(call.identity(), call.path["task_id"])


def _seconds_left(task: Task) -> int | None:
    if not task.bytes_per_second or not task.bytes_total:
        return None
    return max(ceil((task.bytes_total - task.bytes_done) / task.bytes_per_second), 0)
