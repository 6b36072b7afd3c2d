"""Uploads whose service is killed at any moment: each ends ready, with the right bytes, and nothing is left over."""

from __future__ import annotations

import hashlib
import random
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from series import CHANCE, check_nothing_left, digest, until

from service import KEY, SEED, Service, serving

KILLS = 30
AT_ONCE = 3
PIECE = 1 << 18
VERSION = {"Tus-Resumable": "1.0.0", "MC-Api-Key": KEY}
BYTES = {**VERSION, "Content-Type": "application/offset+octet-stream"}


class Uploading:
    """One upload of the image after the other, by a client that believes nothing but what it is told."""

    def __init__(self, image: bytes, chance: random.Random) -> None:
        self._image = image
        self._chance = chance
        self._paths: list[str] = []
        self.ended: list[str] = []
        self.told: dict[str, int] = {}

    def go_on(self, service: Service, kill_at: int) -> None:
        """Send pieces until about so many bytes went out; then the service is killed, wherever it is with them."""
        sent = 0
        with httpx.Client(base_url=service.address, timeout=30) as client:
            for number in count():
                path = self._path(client, number % AT_ONCE)
                offset = self._offset(client, path)
                assert offset >= self.told[path], "what was told once is kept"
                size = self._chance.choice([PIECE, 5 * PIECE, len(self._image)])
                piece = self._image[offset : offset + size]
                try:
                    answer = client.patch(
                        path,
                        headers={**BYTES, "Upload-Offset": str(offset)},
                        content=self._pieces(service, piece, kill_at - sent),
                    )
                except httpx.TransportError:
                    service.process.wait()
                    return
                sent += len(piece)
                assert answer.status_code == 204, answer.text
                self.told[path] = int(answer.headers["upload-offset"])
                assert self.told[path] == offset + len(piece)
                if self.told[path] == len(self._image):
                    self._gather(service, path)

    def finish(self, service: Service) -> None:
        """Bring all to their ends."""
        with httpx.Client(base_url=service.address, timeout=30) as client:
            for path in list(self._paths):
                offset = self._offset(client, path)
                if offset < len(self._image):
                    headers = {**BYTES, "Upload-Offset": str(offset)}
                    assert client.patch(path, headers=headers, content=self._image[offset:]).status_code == 204
                self._gather(service, path)

    def _path(self, client: httpx.Client, number: int) -> str:
        while number >= len(self._paths):
            headers = {**VERSION, "Upload-Length": str(len(self._image)), "Upload-Metadata": "name eA=="}
            answer = client.post(f"{SEED}/uploads", headers=headers)
            assert answer.status_code == 201, answer.text
            self._paths.append(answer.headers["location"])
            self.told[self._paths[-1]] = 0
        return self._paths[number]

    def _offset(self, client: httpx.Client, path: str) -> int:
        answer = client.head(path, headers=VERSION)
        assert answer.status_code == 200
        return int(answer.headers["upload-offset"])

    def _pieces(self, service: Service, piece: bytes, kill_after: int) -> Any:
        for start in range(0, len(piece), PIECE // 4):
            if start >= kill_after:
                service.process.kill()
            yield piece[start : start + PIECE // 4]
        if len(piece) >= kill_after:
            service.process.kill()  # all of it is on its way: while it is synced, hashed, published or answered

    def _gather(self, service: Service, path: str) -> None:
        iso_path = path.replace("/uploads/", "/isos/")
        assert until(lambda: service.get(iso_path)["ready"])
        iso = service.get(iso_path)
        assert (iso["size"], iso["checksums"]["sha256"]) == (len(self._image), hashlib.sha256(self._image).hexdigest())
        with service.behind.catalog.reading() as tx:
            kept = service.behind.catalog.isos.by_id(tx, iso["id"])
        assert kept
        assert digest(service.behind, kept.object_id) == iso["checksums"]["sha256"]
        assert service.client().delete(iso_path).status_code == 200
        self._paths.remove(path)
        self.ended.append(path)


def test_services_may_be_killed_while_images_are_uploaded(tmp_path: Path, large_image: Path):
    """What a client was told is kept through every kill; no image is lost, doubled or of mixed bytes."""
    image, chance = large_image.read_bytes(), random.Random(CHANCE)
    uploading = Uploading(image, chance)
    for _ in range(KILLS):
        with serving(tmp_path / "data") as service:
            uploading.go_on(service, int(chance.uniform(0, len(image))))
    with serving(tmp_path / "data") as service:
        uploading.finish(service)
        assert len(uploading.ended) == len(uploading.told) > AT_ONCE
        check_nothing_left(service.behind)
