"""What every store of objects promises."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from pieces import piece

from isobay.errors import MissingObjectError, SourceError, StorageError
from isobay.objects import DiskObjects, Stored

LIMIT = 1 << 30


def silent(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def anything(_read_at: Callable[[int, int], bytes], _size: int) -> None:
    """An examination that refuses nothing."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of some megabytes that are all different."""
    path = tmp_path / "source.iso"
    path.write_bytes(b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(100_000)))
    return path


def test_what_is_received_is_the_source_byte_for_byte(objects, source):
    """Size, digest and bytes, at any offset; progress ends at the whole."""
    told = []
    with objects.receive_file(source, LIMIT, lambda done, total: told.append((done, total)), anything) as received:
        pass
    content = source.read_bytes()
    assert (received.size, received.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert told[-1] == (len(content), len(content))
    stored = objects.open(received.object_id)
    assert stored.size == len(content)
    assert stored.read_at(0, len(content) + 5) == content
    assert stored.read_at(1_234_567, 1000) == content[1_234_567:1_235_567]
    assert stored.read_at(len(content), 1) == b""
    stored.close()
    assert source.read_bytes() == content


def test_files_are_closed_to_others(root, source):
    """Whoever has no business with them cannot read them."""
    with DiskObjects(root).receive_file(source, LIMIT, silent, anything):
        pass
    files = [path for path in root.rglob("*") if path.is_file()]
    assert files
    assert all(path.stat().st_mode & 0o007 == 0 for path in files)


def test_an_object_whose_catalogue_entry_fails_is_not_kept(objects, store, source):
    """What goes wrong inside the block takes the bytes with it."""
    with pytest.raises(RuntimeError), objects.receive_file(source, LIMIT, silent, anything):
        raise RuntimeError
    assert store.left() == set()


def test_what_is_refused_when_it_is_looked_at_is_not_copied(objects, store, source):
    """The examination sees the file's own bytes, and its error is the caller's."""

    def refuse(read_at: Callable[[int, int], bytes], size: int) -> None:
        assert (read_at(0, 32), size) == (source.read_bytes()[:32], source.stat().st_size)
        raise LookupError

    with pytest.raises(LookupError), objects.receive_file(source, LIMIT, silent, refuse):
        pass
    assert store.left() == set()


def test_deleting_is_final_and_may_be_repeated(objects, store, source):
    """The bytes are gone, and a missing object is said with what to do."""
    with objects.receive_file(source, LIMIT, silent, anything) as received:
        pass
    objects.delete(received.object_id)
    objects.delete(received.object_id)
    assert store.left() == set()
    with pytest.raises(MissingObjectError, match="backup"):
        objects.open(received.object_id)


def test_an_object_has_a_path(tmp_path, source):
    """On a disk: the file that is named holds the bytes and nothing else, wherever it is asked for."""
    objects = DiskObjects(tmp_path / "disk")
    with objects.receive_file(source, LIMIT, silent, anything) as received:
        pass
    path = objects.path(received.object_id)
    assert path.stem == received.object_id
    assert path.is_absolute()
    assert path.read_bytes() == source.read_bytes()
    objects.delete(received.object_id)
    with pytest.raises(MissingObjectError, match="backup"):
        objects.path(received.object_id)


@pytest.mark.parametrize("object_id", ["../../etc/passwd", "", "x" * 36, "00000000-0000-4000-8000-00000000000/"])
def test_no_path_is_made_of_what_is_no_id(objects, object_id):
    """Whoever names it."""
    for ask in (objects.open, objects.path):
        with pytest.raises(StorageError, match="no id of ours"):
            ask(object_id)


def test_a_source_that_cannot_be_taken_is_refused_with_the_reason(objects, store, tmp_path, source):
    """Missing, a directory, a pipe (without waiting for a writer), one that cannot be read, too large."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    unreadable = Path("/proc/self/mem")  # a regular file whose first byte gives EIO
    for path in (tmp_path / "missing", tmp_path, pipe, unreadable):
        with pytest.raises(SourceError, match=path.name), objects.receive_file(path, LIMIT, silent, anything):
            pass
    with pytest.raises(SourceError, match="ISOBAY_MAX_ISO_BYTES"), objects.receive_file(source, 1000, silent, anything):
        pass
    assert store.left() == set()


def test_a_source_that_changes_meanwhile_is_refused(objects, store, source):
    """Half of one file and half of another is no image."""

    def meddle(done: int, _total: int) -> None:
        if done < 2 << 20:
            with source.open("r+b") as file:
                file.write(b"changed")
            os.utime(source, ns=(1, 1))

    with pytest.raises(SourceError, match="changed"), objects.receive_file(source, LIMIT, meddle, anything):
        pass
    assert store.left() == set()


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(root, tmp_path):
    """The image's size and no more is told; a sparse file counts as what it holds when it is read."""
    objects, free = DiskObjects(root), os.statvfs(tmp_path)
    huge = tmp_path / "huge.iso"
    with huge.open("wb") as file:
        file.truncate(free.f_bavail * free.f_frsize + (1 << 20))
    with pytest.raises(StorageError, match="no room") as caught, objects.receive_file(huge, 1 << 60, silent, anything):
        pass
    assert caught.value.context == {"needed": huge.stat().st_size}
    assert str(tmp_path) not in caught.value.message
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_a_sweep_takes_what_is_left_over_and_nothing_else(objects, store, source):
    """What is needed stays, what is being received stays, what nobody needs goes."""
    with (
        objects.receive_file(source, LIMIT, silent, anything) as needed,
        objects.receive_file(source, LIMIT, silent, anything) as left_over,
        objects.receive_file(source, LIMIT, silent, anything) as held,
    ):
        assert objects.sweep(lambda _id: False) == 0
    strange = store.put_strange()
    assert objects.sweep({needed.object_id, held.object_id}.__contains__) == 1
    assert store.left() == {(needed.object_id, "whole"), (held.object_id, "whole"), strange}
    with pytest.raises(StorageError):
        objects.open(left_over.object_id)


def test_all_that_is_stored_is_told(objects, source):
    """Whole objects with their sizes, and parts with what is there for certain, whoever holds them; then nothing."""
    part_id = str(uuid4())
    assert list(objects.stored()) == []
    with objects.receive_file(source, LIMIT, silent, anything) as received, objects.resume(part_id) as part:
        part.append(piece(0))
        part.sync()
        expected = {Stored(received.object_id, received.size, True), Stored(part_id, len(piece(0)), False)}
        assert set(objects.stored()) == expected
    assert set(objects.stored()) == expected
    for each in expected:
        objects.delete(each.object_id)
    assert list(objects.stored()) == []


def test_what_a_killed_process_left_is_swept(objects, store, source):
    """A process that dies in the middle of a copy leaves a part that nobody holds."""
    code = (
        "import os, signal, sys; from pathlib import Path; from stores import opened\n"
        "def die(done, total): os.kill(os.getpid(), signal.SIGKILL)\n"
        "store, source = opened(sys.argv[1]), Path(sys.argv[2])\n"
        "with store.receive_file(source, 1 << 30, die, lambda read_at, size: None): pass\n"
    )
    command = [sys.executable, "-c", code, store.described, str(source)]
    died = subprocess.run(command, check=False, cwd=Path(__file__).parent)
    assert died.returncode == -9
    assert len({object_id for object_id, _ in store.left()}) == 1
    assert objects.sweep(lambda _id: False) == 1
    assert store.left() == set()
