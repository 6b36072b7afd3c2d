"""Uploads whose service is killed at any moment: each ends ready, with the right bytes, and nothing is left over."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import httpx
from forked import Services
from series import CHANCE, MIB, Workers, check_nothing_left, digest

from images import image
from processes import PATIENCE_SECONDS, until
from service import KEY, SEED, Service

KILLS = 100
AT_ONCE = 3
IMAGE_BYTES = 4 * MIB
LATER_SECONDS = 0.06
PIECE = 1 << 16
VERSION = {"Tus-Resumable": "1.0.0", "MC-Api-Key": KEY}
BYTES = {**VERSION, "Content-Type": "application/offset+octet-stream"}


class Uploading:
    """Uploads of one image, some at any time, by a client that believes nothing but what it is told."""

    def __init__(self, content: bytes, chance: random.Random) -> None:
        self._image = content
        self._sha256 = hashlib.sha256(content).hexdigest()
        self._chance = chance
        self._open: list[str] = []
        self._deleting: set[str] = set()  # asked for, and perhaps nobody lived to answer
        self.told: dict[str, int] = {}
        self.ended: list[str] = []

    def go_on(self, service: Service) -> None:
        """Go on until the service is killed: a little after so many bytes went out, whatever it does by then."""
        self._kill_after = int(self._chance.uniform(0, 1.5 * len(self._image)))
        self._killer = Timer(self._chance.uniform(0, LATER_SECONDS), service.process.kill)
        with httpx.Client(base_url=service.address, timeout=PATIENCE_SECONDS) as client:
            try:
                while True:
                    while len(self._open) < AT_ONCE:
                        self._begin(client)
                    self._step(client, service, self._chance.choice(self._open))
            except httpx.TransportError:
                service.process.wait()
                self._killer.join()

    def finish(self, service: Service) -> None:
        """Bring all to their ends."""
        self._kill_after = 1 << 62
        with httpx.Client(base_url=service.address, timeout=PATIENCE_SECONDS) as client:
            while self._open:
                self._step(client, service, self._open[0])

    def _begin(self, client: httpx.Client) -> None:
        headers = {**VERSION, "Upload-Length": str(len(self._image)), "Upload-Metadata": "name eA=="}
        answer = client.post(f"{SEED}/uploads", headers=headers)
        assert answer.status_code == 201, answer.text
        self._open.append(answer.headers["location"])
        self.told[self._open[-1]] = 0

    def _step(self, client: httpx.Client, service: Service, path: str) -> None:
        """One request more of an upload, or its end."""
        if path in self._deleting:
            self._delete(client, path)
            return
        offset = int(client.head(path, headers=VERSION).headers["upload-offset"])
        assert offset >= self.told[path], "what was told once is kept"
        self.told[path] = offset
        size = self._chance.choice([PIECE, MIB, len(self._image)])
        piece = self._image[offset : offset + size]
        headers = {**BYTES, "Upload-Offset": str(offset), "Content-Length": str(len(piece))}
        answer = client.patch(path, headers=headers, content=self._sent(piece))
        if not piece:  # all was there already: it is ready, or in somebody's hands, or was only waiting to be asked
            assert answer.status_code in (204, 409, 423), answer.text
            self._check(client, service, path)
            self._delete(client, path)
            return
        assert answer.status_code == 204, answer.text
        self.told[path] = int(answer.headers["upload-offset"])
        assert self.told[path] == offset + len(piece)

    def _sent(self, piece: bytes) -> Iterator[bytes]:
        for start in range(0, len(piece), PIECE):
            yield piece[start : start + PIECE]
            self._kill_after -= PIECE
            if self._kill_after <= 0 and not self._killer.ident:
                self._killer.start()

    def _check(self, client: httpx.Client, service: Service, path: str) -> None:
        iso_path = path.replace("/uploads/", "/isos/")
        assert until(lambda: client.get(iso_path, headers=VERSION).json()["data"]["ready"])
        iso = client.get(iso_path, headers=VERSION).json()["data"]
        assert (iso["size"], iso["checksums"]["sha256"]) == (len(self._image), self._sha256)
        with service.behind.catalog.reading() as tx:
            kept = service.behind.catalog.isos.by_id(tx, iso["id"])
        assert kept
        assert digest(service.behind, kept.object_id) == self._sha256

    def _delete(self, client: httpx.Client, path: str) -> None:
        tried = path in self._deleting
        self._deleting.add(path)
        status = client.delete(path.replace("/uploads/", "/isos/"), headers=VERSION).status_code
        assert status == 200 or (tried and status == 404)
        self._open.remove(path)
        self.ended.append(path)


def _forget_beginnings(service: Service) -> int:
    """Delete the uploads of which nobody was told that they had begun; how many there were."""
    isos = service.get(f"{SEED}/isos")
    for iso in isos:
        assert (iso["status"], iso["progress"]) == ("uploading", 0), "no image is there twice"
        assert service.client().delete(f"{SEED}/isos/{iso['id']}").status_code == 200
    return len(isos)


def test_services_may_be_killed_while_images_are_uploaded(tmp_path: Path):
    """What a client was told is kept through every kill; no image is lost, doubled or of mixed bytes."""
    chance = random.Random(CHANCE)
    path = image(tmp_path / "image.iso", {"payload.bin": chance.randbytes(IMAGE_BYTES)})
    uploading = Uploading(path.read_bytes(), chance)
    data_dir = tmp_path / "data"
    with Services(data_dir) as services, Workers(data_dir) as workers:
        workers.start()
        for _ in range(KILLS):
            uploading.go_on(services.start())
        last = services.start()
        uploading.finish(last)
        assert _forget_beginnings(last) <= KILLS
        workers.end()
        last.process.kill()
        last.process.wait()
        assert len(uploading.ended) == len(uploading.told) > AT_ONCE
        services.start()  # what a killed process left on the disk is swept
        check_nothing_left(last.behind)
