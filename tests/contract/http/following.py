"""Tasks as callers see them: begun, and followed to their end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

from service import SEED, Service


def begin(service: Service, url: str, **more: Any) -> tuple[dict[str, Any], str]:
    """Ask for an import; the ISO, and the id of its task."""
    body = {"name": "imported", "description": "from a URL", "url": url, **more}
    answer = service.client().post(f"{SEED}/isos", json=body)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["taskStatus"] == "PENDING"
    return said["data"], said["taskId"]


def events(stream: httpx.Response) -> Iterator[tuple[str, str, Any]]:
    """The events of a stream: id, name and data."""
    fields: dict[str, str] = {}
    for line in stream.iter_lines():
        if not line and fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def ended(service: Service, task_id: str) -> dict[str, Any]:
    """The task when it ended."""
    with service.client().stream("GET", f"/v1/tasks/{task_id}/events") as stream:
        *_, (_, name, task) = events(stream)
    assert name == "end"
    return task


def error_of(answer: httpx.Response) -> tuple[int, int]:
    """The status and the code of a refusal."""
    return answer.status_code, answer.json()["errors"][0]["code"]
