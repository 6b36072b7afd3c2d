"""Imports that somebody interrupts again and again, and what has to be true of them all the same."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Self

from isobay.app import Isobay
from isobay.model import Iso, Listing, Task
from processes import PATIENCE_SECONDS, until
from service import SEED, Service, environment
from sources import Nginx

CHANCE = 20261123
MIB = 1 << 20
IMAGE_BYTES = 48 * MIB
BYTES_PER_SECOND = 16 * MIB  # for each import: slow enough that a kill may come anywhere in its life
TWICE_BYTES = 16 * MIB
LOCAL = {"ISOBAY_ALLOWED_NETWORKS": "127.0.0.0/8", "ISOBAY_FETCH_RETRY_SECONDS": "0"}


@dataclass(frozen=True)
class Wanted:
    """An import that was asked for: ``path`` is where nginx has its image."""

    path: str
    iso_id: str
    task_id: str


class Series:
    """Imports of one image under many names, some of them at any time."""

    def __init__(self, source: Nginx, root: Path, served: Path, image: Path) -> None:
        self._source = source
        self._root = root
        self._served = served
        self.size = image.stat().st_size
        self._digest = hashlib.sha256(image.read_bytes()).hexdigest()
        self._open: list[Wanted] = []
        self.ended: list[Task] = []
        self.chance = random.Random(CHANCE)

    def want(self, service: Service, count: int = 1) -> Wanted:
        """Ask for one more until so many are open; the last."""
        while len(self._open) < count:
            path = f"/{len(self.ended) + len(self._open)}-{self._served.name}"
            (self._root / path[1:]).symlink_to(self._served)
            body = {"name": path[1:], "description": "", "url": self._source.url(path)}
            answer = service.client().post(f"{SEED}/isos", json=body)
            assert answer.status_code == 200, answer.text
            told = answer.json()
            self._open.append(Wanted(path, told["data"]["id"], told["taskId"]))
        return self._open[-1]

    def gather(self, service: Service) -> None:
        """Look at those that ended meanwhile: the ISO is ready, and its bytes are right. Then delete it."""
        for wanted in list(self._open):
            task, iso, object_id = look(service.behind, wanted)
            if task.status == "PENDING":
                assert (iso.status, iso.ready) == ("importing", False)
                continue
            assert (task.status, iso.status, iso.ready) == ("SUCCESS", "ready", True), (task, iso)
            assert (iso.size, iso.checksums["sha256"]) == (self.size, self._digest)
            assert digest(service.behind, object_id) == self._digest
            assert service.client().delete(f"{SEED}/isos/{wanted.iso_id}").status_code == 200
            self._open.remove(wanted)
            self.ended.append(task)

    def finish(self, service: Service) -> None:
        """Wait until all are gathered."""

        def is_all() -> bool:
            self.gather(service)
            return not self._open

        assert until(is_all), [look(service.behind, wanted) for wanted in self._open]

    def await_moment(self, behind: Isobay) -> None:
        """Return at a random moment: soon, when some more has come, or about when an image is whole."""
        incoming = behind.settings.objects_dir / "incoming"
        kind = self.chance.choice(("soon", "midway", "midway", "whole"))
        if kind == "midway":
            enough = _bytes(incoming) + self.chance.uniform(0, 24 * MIB)
            until(lambda: _bytes(incoming) >= enough, seconds=1)
        elif kind == "whole":
            before = {path.name for path in behind.settings.objects_dir.glob("??/*.iso")}
            until(lambda: _has_whole(behind.settings.objects_dir, before, self._served.stat().st_size), seconds=2)
        Event().wait(self.chance.uniform(0, 0.06))

    def check_traffic(self, kills: int) -> None:
        """Every byte went over the wire once, and at each cut at most 16 MiB of them again."""
        requests = defaultdict(list)
        for fetch in self._source.fetches():
            assert (fetch.method, fetch.status) in {("GET", 200), ("GET", 206)}, fetch
            offset = int(fetch.range.removeprefix("bytes=").removesuffix("-") or 0)
            requests[fetch.uri].append((offset, offset + fetch.sent))
        assert len(requests) == len(self.ended)
        size = self._served.stat().st_size
        for path, spans in requests.items():
            spans.sort()
            assert spans[0][0] == 0, path
            assert max(end for _, end in spans) == size, path
            for (_, end), (start, _) in pairwise(spans):
                assert 0 <= end - start <= TWICE_BYTES, (path, spans)
            assert len(spans) <= kills + 1, path


def look(behind: Isobay, wanted: Wanted) -> tuple[Task, Iso, str]:
    """The task, the ISO and its object's id, at one moment."""
    with behind.catalog.reading() as tx:
        task = behind.catalog.tasks.get(tx, wanted.task_id)
        kept = behind.catalog.isos.by_id(tx, wanted.iso_id)
    assert task
    assert kept
    return task, kept.iso, kept.object_id


def digest(behind: Isobay, object_id: str) -> str:
    """The SHA-256 of the bytes on the disk."""
    stored = behind.objects.open(object_id)
    try:
        return hashlib.sha256(stored.read_at(0, stored.size)).hexdigest()
    finally:
        stored.close()


def check_nothing_left(behind: Isobay) -> None:
    """No file, no row and no pending task is left when every ISO was deleted and nobody works."""
    assert [path for path in behind.settings.objects_dir.rglob("*") if path.is_file()] == []
    visit = behind.door.operate("test_area")
    assert visit.engine.list_isos(visit.place, Listing(limit=1)).total == 0
    with behind.catalog.reading() as tx:
        assert behind.catalog.tasks.pending(tx, 1) == []


class Workers:
    """``isobay worker`` twice: one works, the other stands by, so that a kill costs no start."""

    def __init__(self, data_dir: Path, **options: str) -> None:
        self._data_dir = data_dir
        self._options = {**LOCAL, **options}
        self._log = (data_dir / "workers.log").open("a")
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more."""
        command = [sys.executable, "-m", "isobay", "worker", "--data-dir", str(self._data_dir)]
        process = subprocess.Popen(command, env=environment(**self._options), stderr=self._log)
        self._running.append(process)
        return process

    def kill(self) -> None:
        """Kill the one that works."""
        first = self._running.pop(0)
        assert first.poll() is None
        first.kill()
        first.wait()

    def end(self) -> None:
        """End all in good order."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(PATIENCE_SECONDS) for process in self._running] == [0] * len(self._running)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.kill()
            process.wait()
        self._log.close()


def _bytes(incoming: Path) -> int:
    return sum(_size(path) for path in incoming.glob("*.part"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _has_whole(objects: Path, before: set[str], size: int) -> bool:
    whole = any(_size(path) >= size for path in (objects / "incoming").glob("*.part"))
    return whole or any(path.name not in before for path in objects.glob("??/*.iso"))
