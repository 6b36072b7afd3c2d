"""Tasks, for both generations of CloudMC's clients at once."""

from __future__ import annotations

from typing import Any

from isobay.http.endpoint import Call, Endpoints, Reply
from isobay.http.environments import path_parameter
from isobay.model import Task

endpoints = Endpoints("tasks")


@endpoints.add(
    "GET",
    "/tasks/{task_id:str}",
    "Follow a task",
    parameters=(path_parameter("task_id", "The id of the task."),),
    errors=(401, 403, 404),
    wrapped=False,
)
def get_task(call: Call) -> Reply:
    """The task as the JavaScript client reads it, and under ``data`` as the Go client does."""
    identity = call.identity()
    return Reply(told(call.services.records.task(identity, call.path["task_id"])))


def started(task: Task) -> dict[str, Any]:
    """The envelope of an asynchronous call."""
    return {"taskId": task.id, "taskStatus": task.status}


def told(task: Task) -> dict[str, Any]:
    """The envelope of a task."""
    body: dict[str, Any] = {
        **started(task),
        "result": task.result,
        "progress": task.progress,
        "message": task.message,
        "bytesDone": task.bytes_done,
        "bytesTotal": task.bytes_total,
        "data": {"id": task.id, "status": task.status, "created": task.created, "result": task.result},
    }
    if task.status == "FAILED":
        body["errors"] = task.errors
    return body
