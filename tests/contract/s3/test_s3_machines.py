"""Several machines with one catalogue in PostgreSQL and one store in S3."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from uuid import uuid4

import pytest
from pieces import PIECE, first, piece
from stores import S3Store

from isobay.catalog import open_catalog
from isobay.errors import ConflictError
from isobay.objects.s3 import S3Objects
from isobay.objects.s3_place import Place
from isobay.settings import Settings
from service import SEED, Service, environment, serving
from sources import nginx

MIB = 1 << 20
PATIENCE_SECONDS = 60


def test_who_holds_an_object_holds_it_against_other_machines(store, postgresql_server):
    """With the catalogue's database in between; a machine that dies, or loses the database, lets go."""

    object_id = str(uuid4())
    place = Place.of(Settings.load(store.options))
    with postgresql_server.database(template=postgresql_server.migrated) as url:
        here, there = open_catalog(url), open_catalog(url)
        mine, yours = (S3Objects(place, each.holding.hold, "one for both") for each in (here, there))
        with ExitStack() as stack:
            part = stack.enter_context(mine.resume(object_id))
            part.append(piece(0))
            part.sync()
            for objects in (mine, yours):
                with pytest.raises(ConflictError, match=object_id), objects.resume(object_id):
                    pass
            assert yours.sweep(lambda _id: False) == 0
            postgresql_server.end_sessions(url)
            with yours.resume(object_id) as other:
                other.append(piece(1))
            part.append(piece(7))
            with pytest.raises(ConflictError):
                part.publish()
            with pytest.raises(ConflictError, match="gone for a moment"):
                stack.close()
        with mine.resume(object_id) as part:
            assert part.read_at(0, part.size) == first(2 * PIECE)
        here.close()
        there.close()


def test_a_worker_on_another_machine_goes_on(s3, large, tmp_path, postgresql_server):
    """When one is killed in the middle of an import the other takes it up, and fetches what is not in S3 yet."""
    store, data = S3Store(s3, tmp_path), large.read_bytes()
    with postgresql_server.database(template=postgresql_server.migrated) as url, ExitStack() as stack:
        allowed = {"ISOBAY_ALLOWED_NETWORKS": "127.0.0.0/8", "ISOBAY_FETCH_RETRY_SECONDS": "0"}
        shared = {**store.options, **allowed, "ISOBAY_DATABASE_URL": url, "ISOBAY_SECRET_KEY": "one for all machines"}
        source = stack.enter_context(nginx(large.parent, bytes_per_second=6 * MIB))
        service = stack.enter_context(serving(tmp_path / "serving", **shared, ISOBAY_TASKS_AT_ONCE="0"))
        killed = stack.enter_context(_worker(tmp_path / "killed", shared))
        body = {"name": "taken over", "description": "", "url": source.url(f"/{large.name}")}
        iso = service.client().post(f"{SEED}/isos", json=body).json()["data"]
        _until(lambda: any(size > 10 * MIB for size in _sizes(service)))
        stack.enter_context(_worker(tmp_path / "other", shared))
        killed.kill()
        killed.wait()
        certain = max(_sizes(service))
        _until(lambda: service.get(f"{SEED}/isos/{iso['id']}")["ready"])
        told = service.get(f"{SEED}/isos/{iso['id']}")
        assert told["checksums"]["sha256"] == hashlib.sha256(data).hexdigest()
        again = source.fetches()[-1].range.removeprefix("bytes=").removesuffix("-")
        assert int(again) >= certain > 10 * MIB
        assert {kind for _, kind in store.left()} == {"whole"}


def _sizes(service: Service) -> list[int]:
    return [each.size for each in service.behind.objects.stored()]


def _until(holds: Callable[[], object]) -> None:
    deadline = monotonic() + PATIENCE_SECONDS
    while not holds():
        assert monotonic() < deadline
        Event().wait(0.1)


@contextmanager
def _worker(data_dir: Path, options: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "isobay", "worker", "--data-dir", str(data_dir)]
    process = subprocess.Popen(command, env=environment(**options))
    try:
        yield process
    finally:
        process.kill()
        process.wait()
