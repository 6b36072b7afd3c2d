"""Speaks tus by hand: every header of every request is the test's."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from service import KEY, SEED, Service

UPLOADS = f"{SEED}/uploads"
MAX_ISO_BYTES = 64 << 20
LEAST = 34_816  # bytes: one sector after the system area
VERSION = {"Tus-Resumable": "1.0.0"}
BYTES = {**VERSION, "Content-Type": "application/offset+octet-stream"}


def metadata(**values: str | bytes) -> dict[str, str]:
    """The header that says something of the image."""
    pairs = (
        f"{key} {base64.b64encode(value.encode() if isinstance(value, str) else value).decode()}".rstrip()
        for key, value in values.items()
    )
    return {"Upload-Metadata": ",".join(pairs)}


def proof(algorithm: str, data: bytes) -> dict[str, str]:
    """The header that says what the bytes of a request have."""
    digest = hashlib.new(algorithm, data).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


class Sender:
    """Uploads to a service, in one environment, with one key."""

    def __init__(self, service: Service, key: str = KEY, uploads: str = UPLOADS) -> None:
        self.service = service
        self.key = key
        self.uploads = uploads

    def ask(self, method: str, url: str = "", /, *, content: Any = None, **headers: str) -> httpx.Response:
        """Send one request; the names of headers are written with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.service.client(self.key).request(method, url or self.uploads, headers=given, content=content)

    def begin(self, length: int, name: str = "image", /, *, content: Any = None, **said: str) -> httpx.Response:
        """Begin an upload, with some bytes at once where there are any."""
        headers = {**(BYTES if content else VERSION), "Upload-Length": str(length), **metadata(name=name, **said)}
        return self.service.client(self.key).post(self.uploads, headers=headers, content=content)

    def begun(self, length: int, name: str = "image", /, **said: str) -> str:
        """The path of a new upload."""
        answer = self.begin(length, name, **said)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["location"])

    def send(
        self, upload: str, offset: int, content: bytes | Iterable[bytes], headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send bytes from an offset on."""
        given = {**BYTES, "Upload-Offset": str(offset), **(headers or {})}
        return self.service.client(self.key).patch(upload, headers=given, content=content)

    def send_by_post(self, upload: str, method: str, content: bytes = b"") -> httpx.Response:
        """Do it by POST, at the beginning of the upload."""
        given = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": method}
        return self.service.client(self.key).post(upload, headers=given, content=content)

    def offset(self, upload: str) -> int:
        """Where an upload is."""
        answer = self.service.client(self.key).head(upload, headers=VERSION)
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["upload-offset"])

    def iso(self, upload: str) -> dict[str, Any]:
        """The ISO that an upload is."""
        found: dict[str, Any] = self.service.get(upload.replace("/uploads/", "/isos/"), key=self.key)
        return found

    @contextmanager
    def sending(
        self, upload: str, offset: int, length: int, method: str = "PATCH", **headers: str
    ) -> Iterator[socket.socket]:
        """Begin to send ``length`` bytes by hand; the block writes into the connection, and its end closes it."""
        given = {**BYTES, "Upload-Offset": str(offset)} if method == "PATCH" else {}
        given |= headers if "Transfer-Encoding" in headers else {"Content-Length": str(length), **headers}
        address = urlsplit(self.service.address)
        lines = [
            f"{method} {upload} HTTP/1.1",
            f"Host: {address.netloc}",
            f"MC-Api-Key: {self.key}",
            *(f"{name}: {value}" for name, value in given.items()),
        ]
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            yield connection

    def stored(self, upload: str) -> bytes:
        """The bytes on the disk of an ISO that is ready."""
        upload_id = upload.rpartition("/")[2]
        with self.service.behind.catalog.reading() as tx:
            kept = self.service.behind.catalog.isos.by_id(tx, upload_id)
        assert kept
        stored = self.service.behind.objects.open(kept.object_id)
        try:
            return stored.read_at(0, stored.size)
        finally:
            stored.close()
