"""An image that is there already is kept once, and no answer comes sooner or later for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from uuid import uuid4

import pytest
from sender import UPLOADS, Sender

from isobay.objects import DiskObjects
from processes import until
from service import Service, serving

BESIDE = UPLOADS.replace("test_area", "beside")


def _files(service: Service) -> list[Path]:
    return [path for path in service.behind.settings.objects_dir.rglob("*") if path.is_file()]


def _unsettled(service: Service) -> int:
    with service.behind.catalog.reading() as tx:
        return len(service.behind.catalog.unsettled.some(tx, 10))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Name a directory for a service."""
    return tmp_path / "data"


@pytest.fixture
def both(data_dir: Path, small: bytes) -> Iterator[tuple[Service, list[tuple[Sender, str]]]]:
    """Upload an image into two environments of a service without a worker."""
    with serving(data_dir, ISOBAY_TASKS_AT_ONCE="0") as service:
        service.new_environment("beside")
        sent = []
        for sender in (Sender(service), Sender(service, uploads=BESIDE)):
            sent.append((sender, sender.begun(len(small))))
            assert sender.send(sent[-1][1], 0, small).status_code == 204
        yield service, sent


def test_equal_uploads_become_one_after_their_answers(both, small):
    """The request that brings the last byte leaves the image as it came; the next look of a worker makes them one."""
    service, sent = both
    assert (len(_files(service)), _unsettled(service)) == (2, 2)
    service.behind.tending.tend()
    assert (len(_files(service)), _unsettled(service)) == (1, 0)
    assert [sender.stored(upload) for sender, upload in sent] == [small, small]
    for (_, upload), left in zip(sent, (1, 0), strict=True):
        assert service.client().delete(upload.replace("/uploads/", "/isos/")).status_code == 200
        assert len(_files(service)) == left


def test_a_worker_makes_them_one_by_itself(both, data_dir, small):
    """Also those that were answered by a service that was killed before anybody compared them."""
    service, sent = both
    service.process.kill()
    service.process.wait()
    with serving(data_dir) as again:
        assert until(lambda: len(_files(again)) == 1)
        third = Sender(again)
        upload = third.begun(len(small))
        assert third.send(upload, 0, small).status_code == 204
        assert until(lambda: _unsettled(again) == 0)
        assert len(_files(again)) == 1
        assert [Sender(again).stored(each) for each in (*(upload for _, upload in sent), upload)] == [small] * 3


def test_an_iso_that_is_deleted_before_it_was_compared_leaves_nothing(both, small):
    """The other one has its bytes, and nobody looks for the one that is gone."""
    service, [(_, gone), (sender, kept)] = both
    assert service.client().delete(gone.replace("/uploads/", "/isos/")).status_code == 200
    assert (len(_files(service)), _unsettled(service)) == (1, 1)
    service.behind.tending.tend()
    assert (len(_files(service)), _unsettled(service)) == (1, 0)
    assert sender.stored(kept) == small


def test_who_deletes_does_not_wait_until_the_disk_has_freed_the_bytes(tmp_path, monkeypatch):
    """Whoever deletes the last of equal images has the answer as soon as others; and the bytes are freed then."""
    slow, close = Event(), os.close

    def close_slowly(descriptor: int) -> None:  # as a file system does that has much to free
        slow.wait(30)
        close(descriptor)

    def are_open() -> bool:
        found = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return any(path.is_relative_to(tmp_path) for path in found)

    objects, object_id = DiskObjects(tmp_path), str(uuid4())
    with objects.resume(object_id) as part:
        part.append(b"image")
        part.publish()
    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close_slowly)
        objects.delete(object_id)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert are_open()
        slow.set()
        assert until(lambda: not are_open())
