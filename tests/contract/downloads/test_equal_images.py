"""Equal images lie on the disk once, whatever ends in between, and nobody can tell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from threading import Barrier, Thread

import pytest

from isobay.app import Isobay, build
from isobay.engines.local import Sharing
from isobay.errors import IsobayError, StorageError
from isobay.model import Iso, Listing, read_record
from isobay.settings import Settings
from service import environment

DIE = """
import os, sys
from pathlib import Path
from isobay.app import build
from isobay.engines.local import sharing
from isobay.settings import Settings

what, data, image = sys.argv[1:]
built = build(Settings.load(data_dir=data))

def die(*_):
    os._exit(9)

if what == "before":
    sharing.Sharing.settle = die
else:
    type(built.objects).delete = die
place = built.door.operate("test_area").place
if what == "deleting":
    iso_id = image
    visit = built.door.operate("test_area")
    visit.engine.delete_iso(place, visit.identity, iso_id)
else:
    built.adder.add_file(place, Path(image), "doomed", lambda done, total: None)
"""


class Shelf:
    """A data directory, on each kind of database, without a service."""

    def __init__(self, built: Isobay, image: Path) -> None:
        self.built = built
        self.image = image

    def add(self, image: Path | None = None) -> Iso:
        """Add the image, or another one."""
        return self.built.adder.add_file(
            self.built.door.operate("test_area").place, image or self.image, "", lambda _done, _total: None
        )

    def delete(self, iso_id: str) -> None:
        """Delete an ISO."""
        visit = self.built.door.operate("test_area")
        visit.engine.delete_iso(visit.place, visit.identity, iso_id)

    def content(self, iso_id: str) -> bytes:
        """The bytes of an ISO as whoever downloads it has them."""
        visit = self.built.door.operate("test_area")
        return b"".join(visit.engine.open_iso(visit.place, iso_id).chunks)

    def object_of(self, iso_id: str) -> str:
        """The object that has the bytes of an ISO."""
        with self.built.catalog.reading() as tx:
            kept = self.built.catalog.isos.by_id(tx, iso_id)
        assert kept
        return kept.object_id

    def files(self) -> list[Path]:
        """The objects on the disk."""
        return [path for path in self.built.settings.objects_dir.rglob("*") if path.is_file()]

    def dies(self, what: str, argument: str) -> None:
        """Do it in a process that ends at once at the moment that is named."""
        url = self.built.settings.database_url
        command = [sys.executable, "-c", DIE, what, str(self.built.settings.data_dir), argument]
        done = subprocess.run(command, env=environment(ISOBAY_DATABASE_URL=url), timeout=60, check=False)
        assert done.returncode == 9


def _ids(shelf: Shelf) -> list[str]:
    visit = shelf.built.door.operate("test_area")
    return [read_record(each).id for part in visit.engine.stream_isos(visit.place, Listing()) for each in part]


@pytest.fixture
def shelf(tmp_path: Path, database_url: str, image_file: Path) -> Iterator[Shelf]:
    """Furnish a data directory."""
    built = build(Settings.load({"ISOBAY_DATABASE_URL": database_url}, data_dir=tmp_path / "data"))
    yield Shelf(built, image_file)
    built.catalog.close()


@pytest.fixture
def other_image(tmp_path: Path, image_file: Path) -> Path:
    """Make an image as long as the other one, with other bytes."""
    path = tmp_path / "other.iso"
    data = bytearray(image_file.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    return path


def test_equal_images_lie_on_the_disk_once(shelf, other_image):
    """Each of them can be read, also when the others are deleted; the last takes the bytes with it."""
    first, second, third = shelf.add(), shelf.add(), shelf.add()
    other = shelf.add(other_image)
    assert len(shelf.files()) == 2
    for gone in (first, third):
        shelf.delete(gone.id)
        assert shelf.content(second.id) == shelf.image.read_bytes()
    assert len(shelf.files()) == 2
    shelf.delete(second.id)
    assert shelf.content(other.id) == other_image.read_bytes()
    assert len(shelf.files()) == 1
    assert shelf.built.sweep() == 0


def test_each_of_them_counts_whole(shelf):
    """What an environment holds is counted as if nobody else had the same."""
    isos = [shelf.add(), shelf.add()]
    with shelf.built.catalog.reading() as tx:
        place = shelf.built.door.operate("test_area").place
        used = shelf.built.catalog.isos.usage(tx, place.environment_id)
    assert used == (2, sum(iso.size for iso in isos)) == (2, 2 * shelf.image.stat().st_size)


def test_a_missing_object_is_not_shared(shelf):
    """Where the bytes of the older one are gone or cut short, those that came are all's."""
    first = shelf.add()
    [path] = shelf.files()
    path.unlink()
    with pytest.raises(StorageError):
        shelf.content(first.id)
    second = shelf.add()
    assert shelf.content(second.id) == shelf.image.read_bytes()
    assert shelf.content(first.id) == shelf.image.read_bytes()
    os.truncate(shelf.files()[0], 100)
    third = shelf.add()
    assert shelf.content(third.id) == shelf.image.read_bytes()


def test_bytes_that_rotted_unnoticed_give_way_to_those_that_came(shelf):
    """Of equal images the one that was hashed last is kept."""
    first = shelf.add()
    with shelf.files()[0].open("r+b") as rotten:
        rotten.seek(40_000)
        rotten.write(b"rot")
    second = shelf.add()
    assert len(shelf.files()) == 1
    assert shelf.content(first.id) == shelf.content(second.id) == shelf.image.read_bytes()


@pytest.mark.parametrize(("what", "left"), [("before", 2), ("after", 2)])
def test_a_process_that_dies_in_between_leaves_nothing_twice(shelf, what, left):
    """Before the row changed, or after it and before the bytes went: the next start puts it right."""
    first = shelf.add()
    shelf.dies(what, str(shelf.image))
    assert len(_ids(shelf)) == 2
    assert len(shelf.files()) == left
    assert shelf.built.sweep() == (what == "after")
    assert len(shelf.files()) == 1
    shelf.delete(first.id)
    [second] = _ids(shelf)
    assert shelf.content(second) == shelf.image.read_bytes()


def test_a_process_that_dies_while_it_deletes_leaves_what_others_need(shelf):
    """The last one's bytes are swept at the next start, another one's stay."""
    first, second = shelf.add(), shelf.add()
    shelf.delete(first.id)
    shelf.dies("deleting", second.id)
    third = shelf.add()
    assert len(shelf.files()) == 2
    assert shelf.built.sweep() == 1
    assert shelf.content(third.id) == shelf.image.read_bytes()


def test_adding_and_deleting_at_once_loses_nothing(shelf):
    """Threads that add and delete equal images at the same moment leave every ISO whole, and one object."""
    kept: list[str] = []
    errors: list[BaseException] = []
    barrier = Barrier(4)

    def work(number: int) -> None:
        try:
            barrier.wait(30)
            for turn in range(6):
                iso = shelf.add()
                assert shelf.content(iso.id) == shelf.image.read_bytes()
                if (turn + number) % 3:
                    shelf.delete(iso.id)
                else:
                    kept.append(iso.id)
        except (AssertionError, IsobayError) as error:
            errors.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(kept) == sorted(_ids(shelf))
    assert len(kept) == 8
    assert {sha256(shelf.content(each)).digest() for each in kept} == {sha256(shelf.image.read_bytes()).digest()}
    assert len(shelf.files()) == 1


def test_a_download_outlives_the_change_of_its_object(shelf):
    """Who opened the bytes reads them to the end, when the row goes over to an equal object and when it is deleted."""
    first = shelf.add()
    visit = shelf.built.door.operate("test_area")
    settle, Sharing.settle = Sharing.settle, lambda _self, _iso_id: None
    try:
        second = shelf.add()
    finally:
        Sharing.settle = settle
    opened = visit.engine.open_iso(visit.place, first.id)
    chunks = opened.chunks
    begun = next(chunks)
    before = shelf.object_of(first.id)
    Sharing(shelf.built.catalog, shelf.built.objects).settle_all()
    assert shelf.object_of(first.id) == shelf.object_of(second.id) != before
    shelf.delete(second.id)
    shelf.delete(first.id)
    assert shelf.files() == []
    assert begun + b"".join(chunks) == shelf.image.read_bytes()
