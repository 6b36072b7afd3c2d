"""An ISO on a service's shelf that may be downloaded, as those see it who ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from service import SEED, Service


@dataclass(frozen=True)
class Shelved:
    """An ISO that is ready and extractable, where it is, and what it holds."""

    service: Service
    iso: dict[str, Any]
    data: bytes

    @property
    def path(self) -> str:
        """Its path in the API."""
        return f"{SEED}/isos/{self.iso['id']}"

    @property
    def content(self) -> str:
        """The path of its bytes."""
        return f"{self.path}/content"

    @property
    def etag(self) -> str:
        """Its entity tag."""
        return f'"{sha256(self.data).hexdigest()}"'

    def get(self, method: str = "GET", /, **headers: str) -> httpx.Response:
        """Ask for its bytes, with headers whose hyphens are written ``_``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.service.client().request(method, self.content, headers=named)

    def edit(self, **fields: Any) -> None:
        """Change it."""
        answer = self.service.client().put(self.path, json=fields)
        assert answer.status_code == 200, answer.text

    def link(self, key: str = "") -> str:
        """A link to it."""
        return str(self.asked(key)["result"]["url"])

    def asked(self, key: str = "") -> dict[str, Any]:
        """The answer of one who asks for a link."""
        client = self.service.client(key) if key else self.service.client()
        answer = client.post(self.path, params={"operation": "generateDownloadUrl"})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def shelve(service: Service, path: Path, name: str, environment: str = "test_area") -> Shelved:
    """Add an image and let it be downloaded."""
    iso = service.add(path, name, environment)
    answer = service.client().put(f"/v1/services/compute-on/{environment}/isos/{iso['id']}", json={"extractable": True})
    assert answer.status_code == 200, answer.text
    return Shelved(service, iso, path.read_bytes())
