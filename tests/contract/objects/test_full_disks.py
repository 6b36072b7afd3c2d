"""What every store says, and keeps, when the disk takes no more: on real small disks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from pieces import PIECE, first, piece

from isobay.errors import StorageError
from isobay.objects import DiskObjects

MIB = 1 << 20
RESERVE = 64 * MIB


@contextmanager
def mounted(directory: Path, *arguments: str) -> Iterator[Path]:
    """Mount something on a new directory; leave the test out where this is not allowed."""
    directory.mkdir()
    done = subprocess.run(["mount", *arguments, str(directory)], capture_output=True, text=True)
    if done.returncode:
        # Not leave_out: CI can install what is missing, and not give itself the right to mount.
        pytest.skip(f"A small file system cannot be mounted here, run the tests as root: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True, capture_output=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 80 MiB, 16 of them for images."""
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=80m", "tmpfs") as disk:
        yield disk


@pytest.fixture
def lying_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that believes to have 200 MiB, on a disk that takes 24."""
    with ExitStack() as stack:
        below = stack.enter_context(mounted(tmp_path / "below", "-t", "tmpfs", "-o", "size=24m", "tmpfs"))
        disk = below / "disk"
        with disk.open("wb") as file:
            file.truncate(200 * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", str(disk)], check=True, capture_output=True)
        yield stack.enter_context(mounted(tmp_path / "above", "-o", "loop", str(disk)))


def test_the_catalogue_keeps_its_room(small_disk: Path):
    """An import that is told no size ends before the reserve; what came in can be read and kept."""
    objects, object_id = DiskObjects(small_disk / "objects"), str(uuid4())
    assert 15 * MIB < objects.room() <= 16 * MIB
    objects.check_room(objects.room())
    with pytest.raises(StorageError, match="no room for") as caught:
        objects.check_room(objects.room() + 1)
    assert caught.value.context == {"needed": objects.room() + 1}
    with objects.resume(object_id) as part:
        with pytest.raises(StorageError, match="disk is full"):
            deque(map(part.append, map(piece, range(100))))
        assert part.size > 14 * MIB
        free = os.statvfs(small_disk)
        assert free.f_bavail * free.f_frsize >= RESERVE
        with pytest.raises(StorageError):
            part.append(piece(0))
    with objects.resume(object_id) as part:
        assert part.read_at(0, part.size) == first(part.size)
    objects.delete(object_id)
    assert objects.room() > 15 * MIB


def test_parts_that_grow_at_once_share_the_room(small_disk: Path):
    """None counts on what another takes meanwhile."""
    objects = DiskObjects(small_disk / "objects")
    with objects.resume(str(uuid4())) as one, objects.resume(str(uuid4())) as other:
        with pytest.raises(StorageError, match="full"):
            deque(part.append(piece(number)) for number in range(100) for part in (one, other))
        assert one.size + other.size > 14 * MIB
    free = os.statvfs(small_disk)
    assert free.f_bavail * free.f_frsize > RESERVE - 8 * MIB


def test_a_disk_that_somebody_else_fills_is_said(small_disk: Path):
    """No byte of what was appended is lost, and the import goes on when there is room."""
    objects, object_id = DiskObjects(small_disk / "objects"), str(uuid4())
    with objects.resume(object_id) as part:
        part.append(piece(0))
        filler = small_disk / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(80 * MIB))
        with pytest.raises(StorageError, match="full"):
            part.append(piece(1))
        with pytest.raises(StorageError, match="no room for 1 bytes more"):
            objects.check_room(1)
        assert objects.room() == 0
        assert part.read_at(0, part.size) == first(part.size)
        filler.unlink()
        part.append(first(2 * PIECE)[part.size :])
        part.publish()
        assert part.read_at(0, 3 * PIECE) == first(2 * PIECE)


def test_a_limit_of_the_process_is_said():
    """A file that may not grow is no full disk, and the sentence says what to raise."""
    code = (
        "import resource, sys; from pathlib import Path; from tempfile import TemporaryDirectory\n"
        "from isobay.errors import StorageError; from isobay.objects import DiskObjects\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "with TemporaryDirectory() as root, DiskObjects(Path(root)).resume(sys.argv[1]) as part:\n"
        "    part.append(b'1' * (1 << 19))\n"
        "    try: part.append(b'2' * (1 << 20))\n"
        "    except StorageError as error: print(error)\n"
        "    print(part.size, part.read_at((1 << 19) - 1, 2), flush=True)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(uuid4())], check=True, capture_output=True, text=True)
    assert "ulimit -f" in ran.stdout
    assert ran.stdout.endswith(f"{1 << 20} b'12'\n")


def test_a_disk_that_loses_bytes_is_not_believed(lying_disk: Path):
    """After a sync that failed only what was synced before counts, though the machine was not booted again."""
    objects, object_id = DiskObjects(lying_disk / "objects"), str(uuid4())
    with objects.resume(object_id) as part:
        part.append(first(4 * MIB))
        part.sync()
        part.append(bytes(32 * MIB))
        for _ in range(2):
            with pytest.raises(StorageError):
                part.sync()
        with pytest.raises(StorageError):
            part.publish()
    with objects.resume(object_id) as part:
        assert part.read_at(0, part.size + 1) == first(4 * MIB)
