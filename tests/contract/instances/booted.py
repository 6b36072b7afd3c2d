"""Instances of a service on a real libvirt, as somebody asks for them by the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypervisors import until
from service import SEED, Service

INSTANCES = f"{SEED}/instances"


class Booted:
    """A service whose instances run on a libvirt, which keeps their disks and what they say in ``guests``."""

    def __init__(self, service: Service, guests: Path) -> None:
        self.service = service
        self._guests = guests

    def log(self, instance: dict[str, Any]) -> Path:
        """What an instance said on its serial line."""
        return self._guests / f"{instance['id']}.log"

    def new(self, iso: dict[str, Any], **fields: object) -> dict[str, Any]:
        """Make an instance; as it is shown at once."""
        wanted = {"name": "guest", "isoId": iso["id"], "cpuCount": 1, "memoryInMB": 256, "rootVolumeSizeInGb": 1}
        return self._changed("POST", INSTANCES, wanted | fields)

    def change(self, instance: dict[str, Any], operation: str, **fields: object) -> None:
        """Ask for an operation, and wait until it is done."""
        self._changed("POST", f"{INSTANCES}/{instance['id']}?operation={operation}", fields, waits=True)

    def purge(self, instance: dict[str, Any]) -> None:
        """Take an instance away for good."""
        self._changed("DELETE", f"{INSTANCES}/{instance['id']}", {"purgeImmediately": True}, waits=True)

    def shown(self, instance: dict[str, Any]) -> dict[str, Any]:
        """The instance as it is now."""
        return self.service.get(f"{INSTANCES}/{instance['id']}")

    def _changed(self, method: str, path: str, body: dict[str, Any], *, waits: bool = False) -> dict[str, Any]:
        answer = self.service.client().request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        if waits:
            task: dict[str, Any] = {}

            def ended() -> bool:
                task.update(self.service.client().get(f"/v1/tasks/{said['taskId']}").json())
                return task["taskStatus"] != "PENDING"

            until(ended, f"{method} {path}")
            assert task["taskStatus"] == "SUCCESS", task
        return said["data"]
