"""A running service that imports, as those see it who ask it to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

import httpx

from service import SEED, Service

MAX_ISO_BYTES = 96 << 20  # of the service
LOOK_SECONDS = 0.02
END_SECONDS = 20.0
Found = TypeVar("Found")


@dataclass(frozen=True)
class Asked:
    """An import that was asked for."""

    iso_id: str
    task_id: str


@dataclass(frozen=True)
class Failure:
    """An import that failed, and how the API tells it."""

    asked: Asked
    code: int
    message: str
    context: dict[str, Any]


class Desk:
    """Asks for imports at the service's address, and looks at what comes of them there and on its disk."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._numbers = count(1)

    def ask(self, url: str, **fields: Any) -> httpx.Response:
        """Ask for an import; the answer, whatever it is."""
        body = {"name": f"image-{next(self._numbers)}", "description": "an image", "url": url, **fields}
        return self.service.client().post(f"{SEED}/isos", json=body)

    def begin(self, url: str, **fields: Any) -> Asked:
        """Ask for an import, which must be taken."""
        return _asked(self.ask(url, **fields))

    def again(self, asked: Asked) -> Asked:
        """Let a failed import go on."""
        return _asked(self.service.client().post(f"{SEED}/isos/{asked.iso_id}", params={"operation": "retry"}))

    def cancel(self, asked: Asked) -> None:
        """Have the work on an import stopped."""
        answer = self.service.client().post(f"/v1/tasks/{asked.task_id}", params={"operation": "cancel"})
        assert answer.status_code == 200, answer.text

    def delete(self, iso_id: str) -> None:
        """Delete an ISO, in whatever state it is."""
        answer = self.service.client().delete(f"{SEED}/isos/{iso_id}")
        assert answer.status_code == 200, answer.text

    def iso(self, asked: Asked) -> dict[str, Any]:
        """The ISO as the API shows it now."""
        found: dict[str, Any] = self.service.get(f"{SEED}/isos/{asked.iso_id}")
        return found

    def task(self, asked: Asked) -> dict[str, Any]:
        """The task as the API shows it now."""
        answer = self.service.client().get(f"/v1/tasks/{asked.task_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def end(self, asked: Asked) -> dict[str, Any]:
        """Follow a task to its end."""

        def look() -> dict[str, Any] | None:
            task = self.task(asked)
            return task if task["taskStatus"] != "PENDING" else None

        return until(look, "the task to end")

    def bring(self, url: str, **fields: Any) -> dict[str, Any]:
        """Import an image, which must become ready with the bytes that its record promises."""
        return self.ready(self.begin(url, **fields))

    def ready(self, asked: Asked) -> dict[str, Any]:
        """Follow an import that must succeed; the ISO, whose bytes on the disk are those that its record tells of."""
        task = self.end(asked)
        assert task["taskStatus"] == "SUCCESS", task
        assert 0 < task["bytesDone"] == task["bytesTotal"], task
        iso = self.iso(asked)
        assert (iso["ready"], iso["status"], iso["progress"]) == (True, "ready", 1.0)
        with self.service.behind.catalog.reading() as tx:
            kept = self.service.behind.catalog.isos.by_id(tx, asked.iso_id)
        assert kept
        stored = self.service.behind.objects.open(kept.object_id)
        try:
            content = stored.read_at(0, stored.size)
        finally:
            stored.close()
        assert (iso["size"], iso["checksums"]["sha256"]) == (len(content), sha256(content).hexdigest())
        return iso

    def fail(self, url: str, **fields: Any) -> Failure:
        """Import an image, which must fail."""
        return self.failed(self.begin(url, **fields))

    def failed(self, asked: Asked) -> Failure:
        """Follow an import that must fail, and say so in its task and in the ISO."""
        task = self.end(asked)
        assert task["taskStatus"] == "FAILED", task
        iso = self.iso(asked)
        error = task["errors"][0]
        assert (iso["ready"], iso["status"], iso["statusMessage"]) == (False, "failed", error["message"])
        return Failure(asked, error["code"], error["message"], error["context"])

    def files(self) -> list[Path]:
        """All that lies on the disk for objects, whole or not."""
        return [path for path in self.service.behind.settings.objects_dir.rglob("*") if path.is_file()]

    def clear(self) -> None:
        """Delete all ISOs, as their owner may at any time, and see that nothing of them stays on the disk."""
        for iso in self.service.get(f"{SEED}/isos"):
            self.delete(iso["id"])
        until(lambda: not self.files(), "the bytes of deleted ISOs to go away")


def until(look: Callable[[], Found | None], what: str) -> Found:
    """Look until there is something, and give it."""
    ends = monotonic() + END_SECONDS
    while not (found := look()):
        assert monotonic() < ends, f"waited in vain for {what}"
        sleep(LOOK_SECONDS)  # the API is all there is to look at
    return found


def _asked(answer: httpx.Response) -> Asked:
    assert answer.status_code in (200, 202), answer.text
    body = answer.json()
    return Asked(body["data"]["id"], body["taskId"])


def digest(data: bytes) -> str:
    """Its SHA-256 in hex."""
    return sha256(data).hexdigest()
