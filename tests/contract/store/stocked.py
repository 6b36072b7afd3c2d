"""A shelf whose bytes can be damaged, and what is found then."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from isobay.app import Isobay
from isobay.catalog.isos import Kept
from isobay.clock import utc_now
from isobay.engines.local import Finding, Sharing
from isobay.model import Iso
from isobay.objects import DiskObjects
from isobay.objects.disk import DiskObject
from isobay.objects.disk_part import DiskPart

OLD = "2020-01-01T00:00:00.000000Z"
HOLD = """
import sys
from pathlib import Path
from isobay.objects import DiskObjects

with DiskObjects(Path(sys.argv[1])).resume(sys.argv[2]) as part:
    part.append(b"arriving")
    print("held", flush=True)
    sys.stdin.read()
"""
Damage = Callable[[Path], None]


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def cut(path: Path) -> None:
    """Take the last byte away."""
    os.truncate(path, path.stat().st_size - 1)


def unlink(path: Path) -> None:
    """Take the whole file away."""
    path.unlink()


class Stock:
    """A data directory without a service."""

    def __init__(self, built: Isobay, image: Path) -> None:
        self.built = built
        self.image = image

    def add(self, image: Path | None = None, *, settled: bool = True) -> Iso:
        """Put an image on the shelf; one that is not settled has bytes of its own, though an equal one is there."""
        visit = self.built.door.operate("test_area")
        settle = Sharing.settle
        if not settled:
            Sharing.settle = lambda _self, _iso_id: None
        try:
            return self.built.adder.add_file(visit.place, image or self.image, "", lambda _done, _total: None)
        finally:
            Sharing.settle = settle

    def kept(self, iso_id: str) -> Kept:
        """An ISO as it is now, with its object."""
        with self.built.catalog.reading() as tx:
            kept = self.built.catalog.isos.by_id(tx, iso_id)
        assert kept
        return kept

    def iso(self, iso_id: str) -> Iso:
        """An ISO as it is now."""
        return self.kept(iso_id).iso

    def path(self, iso_id: str) -> Path:
        """The file with the bytes of an ISO."""
        object_id = self.kept(iso_id).object_id
        return self.built.settings.objects_dir / object_id[:2] / f"{object_id}.iso"

    def files(self) -> dict[Path, bytes]:
        """All that lies in the store."""
        return {path: path.read_bytes() for path in self.built.settings.objects_dir.rglob("*") if path.is_file()}

    def content(self, iso_id: str) -> bytes:
        """The bytes of an ISO as whoever downloads it has them."""
        visit = self.built.door.operate("test_area")
        return b"".join(visit.engine.open_iso(visit.place, iso_id).chunks)

    def change(self, iso_id: str, *, object_id: str = "", **fields: object) -> None:
        """Write other things into the record of an ISO, or give it other bytes."""
        place = self.built.door.operate("test_area").place
        with self.built.catalog.writing() as tx:
            iso = msgspec.structs.replace(self.kept(iso_id).iso, **fields)
            self.built.catalog.isos.replace(tx, place, iso, object_id)

    def age(self, iso_id: str, checked: str = OLD) -> None:
        """Let it be long ago that the bytes of an ISO were compared with their hash."""
        object_id, checks = self.kept(iso_id).object_id, self.built.catalog.checks
        with self.built.catalog.writing() as tx:
            assert checks.claim(tx, object_id, checked, utc_now(), utc_now())
            assert checks.end(tx, object_id, checked, checked)

    def delete(self, iso_id: str) -> None:
        """Delete an ISO."""
        visit = self.built.door.operate("test_area")
        visit.engine.delete_iso(visit.place, visit.identity, iso_id)

    def check(
        self, *, hashes: bool = True, repairs: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> list[Finding]:
        """Check the whole store."""
        survey = self.built.survey(hashes=hashes, repairs=repairs)
        return list(survey.run(progress or (lambda _done, _total: None)))

    def kinds(self, **options: bool) -> list[str]:
        """The kinds of what a check finds."""
        return sorted(finding.kind for finding in self.check(**options))

    def damaged(self) -> int:
        """How many ISOs the metrics say are damaged."""
        return self.built.damaged_isos()


class Meanwhile(DiskObjects):
    """A store that lets something happen just before an object is held, or opened."""

    def __init__(self, root: Path, happens: Callable[[], object]) -> None:
        super().__init__(root)
        self._happens = happens

    def open(self, object_id: str) -> DiskObject:
        """Open an object."""
        self._happens()
        return super().open(object_id)

    def resume(self, object_id: str, check: Callable[[], object] = lambda: None) -> AbstractContextManager[DiskPart]:
        """Open a part."""
        self._happens()
        return super().resume(object_id, check)


class Unreadable(DiskObjects):
    """A store on a disk that fails behind the first MiB of every file."""

    def open(self, object_id: str) -> DiskObject:
        """Open an object."""
        return _Unreadable(super().open(object_id).file)


class _Unreadable(DiskObject):
    def read_at(self, offset: int, size: int, /) -> bytes:
        if offset:
            raise OSError(errno.EIO, "as a broken disk says")
        return super().read_at(offset, size)


@contextmanager
def held(root: Path, object_id: str) -> Iterator[None]:
    """Let another process hold a part that it receives."""
    command = [sys.executable, "-c", HOLD, str(root), object_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield
        process.kill()
