"""What every store promises of objects that come in piece by piece."""

from __future__ import annotations

from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Thread
from uuid import uuid4

import pytest
from pieces import PIECE, first, piece, receiving
from stores import DiskStore

from isobay.errors import ConflictError, StorageError
from isobay.objects import DiskObjects

MIB = 1 << 20


@pytest.fixture
def object_id() -> str:
    """An id of a new object."""
    return str(uuid4())


def test_pieces_come_back_as_one_object(objects, store, object_id):
    """Bytes and views of any length, read while they come in and after they are published."""
    content = first(3 * PIECE + 17)
    with objects.resume(object_id) as part:
        assert (part.object_id, part.size) == (object_id, 0)
        part.append(content[:1])
        part.append(memoryview(content)[1 : PIECE + 5])
        part.append(b"")
        part.append(content[PIECE + 5 :])
        assert part.size == len(content)
        assert part.read_at(PIECE - 3, 9) == content[PIECE - 3 : PIECE + 6]
        buffer = memoryview(bytearray(100))
        assert part.read_into(buffer, 7) == 100
        assert buffer == content[7:107]
        assert part.read_into(buffer, len(content) - 10) == 10
        with pytest.raises(StorageError):
            objects.open(object_id)
        part.publish()
    stored = objects.open(object_id)
    assert (stored.size, stored.read_at(0, stored.size + 1)) == (len(content), content)
    stored.close()
    assert store.left() == {(object_id, "whole")}


def test_a_part_that_is_left_is_gone_on_with(objects, object_id):
    """Also when it is left by an exception."""
    with objects.resume(object_id) as part:
        part.append(piece(0))
    with suppress(LookupError), objects.resume(object_id) as part:
        part.append(piece(1))
        raise LookupError
    with objects.resume(object_id) as part:
        assert part.size == 2 * PIECE
        part.append(piece(2))
        assert part.read_at(0, 4 * PIECE) == first(3 * PIECE)


def test_a_killed_process_loses_nothing_that_it_appended(root, object_id):
    """It holds the part until it dies; then every byte that it spoke of is there, and right."""
    objects = DiskObjects(root)
    with receiving(DiskStore(root), object_id, pieces=200) as process:
        announced = [int(process.stdout.readline()) for _ in range(20)]
        with pytest.raises(ConflictError, match=object_id), objects.resume(object_id):
            pass
        process.kill()
        process.wait()
    with objects.resume(object_id) as part:
        assert announced == [PIECE * number for number in range(1, 21)]
        assert part.size >= announced[-1]
        assert part.read_at(0, part.size) == first(part.size)
        part.append(b"and so on")
        part.publish()
        assert part.read_at(part.size - 9, 9) == b"and so on"


def test_a_part_that_is_open_is_not_opened_again(objects, object_id):
    """Nor by the same process; afterwards it is."""
    with objects.resume(object_id):
        with pytest.raises(ConflictError, match=object_id), objects.resume(object_id):
            pass
        with pytest.raises(ConflictError), objects.resume(object_id):
            pass
    with objects.resume(object_id):
        pass


def test_after_a_boot_only_what_was_synced_is_certain(root, object_id):
    """Under the same boot all of it is; what comes after the new start counts from there."""
    with DiskObjects(root, boot="one").resume(object_id) as part:
        part.append(first(3 * MIB))
        part.sync()
        part.append(b"lost")
    with DiskObjects(root, boot="one").resume(object_id) as part:
        assert part.size == 3 * MIB + 4
    with DiskObjects(root, boot="two").resume(object_id) as part:
        assert part.size == 3 * MIB
        part.append(b"again lost")
    with DiskObjects(root, boot="two").resume(object_id) as part:
        assert part.size == 3 * MIB + 10
    with DiskObjects(root, boot="three").resume(object_id) as part:
        assert part.read_at(0, 4 * MIB) == first(3 * MIB)


def test_a_system_that_tells_no_boots_apart_trusts_what_was_synced(root, object_id):
    """Two boots without an id are not the same boot."""
    with DiskObjects(root, boot="").resume(object_id) as part:
        part.append(first(MIB))
        part.sync()
        part.append(b"lost")
    with DiskObjects(root, boot="").resume(object_id) as part:
        assert part.size == MIB


@pytest.mark.parametrize("line", [b"", b"\0" * 58, b"one and no number"])
def test_a_mark_that_cannot_be_read_vouches_for_nothing(root, object_id, line):
    """A loss of power may leave an empty file, or one of zeros."""
    with DiskObjects(root, boot="one").resume(object_id) as part:
        part.append(first(MIB))
        part.sync()
    next(root.rglob("*.synced")).write_bytes(line)
    with DiskObjects(root, boot="one").resume(object_id) as part:
        assert part.size == 0


def test_a_published_object_becomes_a_part_again(objects, store, object_id):
    """Its process died before the catalogue knew: all of it is certain, whatever the machine did meanwhile."""
    with receiving(store, object_id, pieces=3, then="part.publish()") as process:
        assert [process.stdout.readline() for _ in range(4)][-1] == "done\n"
        process.kill()
        process.wait()
    with store.opened_after_boot().resume(object_id) as part:
        assert part.size == 3 * PIECE
        with pytest.raises(StorageError):
            objects.open(object_id)
        part.append(piece(3))
        part.publish()
    with objects.resume(object_id) as part:
        assert part.read_at(0, 5 * PIECE) == first(4 * PIECE)


def test_a_restart_goes_back_to_nothing_for_good(objects, store, object_id):
    """What was synced before it vouches for nothing after it."""
    with objects.resume(object_id) as part:
        part.append(first(2 * MIB))
        part.sync()
        part.restart()
        assert (part.size, part.read_at(0, 1)) == (0, b"")
        part.append(b"other")
        assert part.read_at(0, 9) == b"other"
    with store.opened_after_boot().resume(object_id) as part:
        assert part.read_at(0, 9) == b"other"[: part.size]


def test_a_restart_goes_back_to_where_it_is_told(objects, store, object_id):
    """What lies below is kept and as durable as before, wherever it is cut; what was above is gone."""
    with objects.resume(object_id) as part:
        part.append(first(10 * MIB))
        part.sync()
        part.append(piece(7))
        part.restart(9 * MIB + 1)
        assert part.size == 9 * MIB + 1
        part.append(b"some")
        part.restart(MIB)
        part.append(first(MIB))
        part.sync()
        part.restart(MIB + 5)
        part.append(b"other")
        part.sync()
        assert part.read_at(MIB + 4, 99) == first(5)[-1:] + b"other"
    assert objects.received(object_id) == MIB + 10
    with store.opened_after_boot().resume(object_id) as part:
        assert part.read_at(0, 3 * MIB) == first(MIB) + first(5) + b"other"
        part.publish()
    assert objects.received(object_id) == MIB + 10


def test_after_a_restart_and_a_boot_only_what_was_synced_is_certain(root, object_id):
    """What was above the cut and was synced vouches for nothing."""
    with DiskObjects(root, boot="one").resume(object_id) as part:
        part.append(first(MIB))
        part.sync()
        part.append(piece(7))
        part.restart(MIB)
        assert part.size == MIB
        part.append(first(MIB))
        part.sync()
        part.restart(MIB + 5)
        part.append(b"other")
        assert part.read_at(MIB + 4, 99) == first(5)[-1:] + b"other"
    assert DiskObjects(root, boot="one").received(object_id) == MIB + 10
    assert DiskObjects(root, boot="two").received(object_id) == MIB + 5
    with DiskObjects(root, boot="two").resume(object_id) as part:
        assert part.read_at(0, 3 * MIB) == first(MIB) + first(5)


def test_what_came_is_told_whoever_has_it_open(objects, store, object_id):
    """Before there is anything, while it grows, and when it is whole."""
    other = store.opened()
    assert other.received(object_id) == 0
    with objects.resume(object_id) as part:
        assert other.received(object_id) == 0
        part.append(piece(0))
        part.sync()
        assert other.received(object_id) == PIECE
        part.append(piece(1))
        part.sync()
        assert other.received(object_id) == 2 * PIECE
        part.append(piece(2))
    assert other.received(object_id) == 3 * PIECE
    with objects.resume(object_id) as part:
        part.publish()
        assert other.received(object_id) == 3 * PIECE
    assert other.received(object_id) == 3 * PIECE


def test_what_came_is_told_before_it_is_synced(root, object_id):
    """While it grows; after a boot only what is certain."""
    objects = DiskObjects(root)
    with objects.resume(object_id) as part:
        assert objects.received(object_id) == 0
        part.append(piece(0))
        part.sync()
        part.append(piece(1))
        assert objects.received(object_id) == 2 * PIECE
    assert objects.received(object_id) == 2 * PIECE
    assert DiskObjects(root, boot="another").received(object_id) == PIECE
    with objects.resume(object_id) as part:
        part.publish()
    assert objects.received(object_id) == 2 * PIECE


def test_a_check_refuses_before_anything_is_touched(objects, store, object_id):
    """An object that was published stays one, and nobody else has it open while the check looks."""
    with objects.resume(object_id) as part:
        part.append(piece(0))
        part.publish()

    def refuse() -> None:
        with pytest.raises(ConflictError), objects.resume(object_id):
            pass
        raise LookupError

    with pytest.raises(LookupError), objects.resume(object_id, refuse):
        pass
    assert store.left() == {(object_id, "whole")}
    objects.open(object_id).close()


@pytest.mark.parametrize("published", [False, True])
def test_what_is_discarded_leaves_nothing(objects, store, object_id, published):
    """Published or not; the id may be used again and starts at nothing."""
    with objects.resume(object_id) as part:
        part.append(piece(0))
        part.sync()
        if published:
            part.publish()
        part.discard()
        assert store.left() == set()
    assert store.left() == set()
    with objects.resume(object_id) as part:
        assert part.size == 0


def test_an_object_that_is_deleted_while_it_is_received_is_not_published(objects, store, object_id):
    """Whoever receives it learns it at the end, and nothing is left."""
    with objects.resume(object_id) as part:
        part.append(piece(0))
        objects.delete(object_id)
        part.append(piece(1))
        part.sync()
        with pytest.raises(ConflictError, match="deleted"):
            part.publish()
    assert store.left() == set()


def test_a_sweep_knows_parts(objects, store):
    """Needed ones stay with their bytes, held ones stay, the others go with all that belongs to them."""
    needed, left_over, held = (str(uuid4()) for _ in range(3))
    for object_id in (needed, left_over):
        with objects.resume(object_id) as part:
            part.append(piece(0))
            part.sync()
    with objects.resume(held) as part:
        part.append(piece(0))
        assert objects.sweep({needed}.__contains__) == 1
    assert store.left() == {(needed, "part"), (held, "part")}
    for object_id in (needed, held):
        with objects.resume(object_id) as part:
            assert part.size == PIECE
    assert objects.sweep(lambda _id: False) == 2
    assert store.left() == set()


@pytest.mark.parametrize("kept", [".part", ".synced"])
def test_half_of_a_part_is_swept(root, object_id, kept):
    """A loss of power may leave either of its two files."""
    objects = DiskObjects(root)
    with objects.resume(object_id) as part:
        part.append(piece(0))
    for path in root.glob("incoming/*"):
        if path.suffix != kept:
            path.unlink()
    assert objects.sweep(lambda _id: False) == 1
    assert list(root.glob("incoming/*")) == []


def test_a_sweep_asks_again_when_nobody_holds_it(objects, store, object_id):
    """Between the question and the deletion, an ISO may have come into the catalogue."""
    with objects.resume(object_id) as part:
        part.append(piece(0))
        part.publish()
    answers = [False, True]
    assert objects.sweep(lambda _id: answers.pop(0)) == 0
    assert answers == []
    assert store.left() == {(object_id, "whole")}


def test_one_appends_while_others_sync_and_read(objects, store, object_id):
    """A reader sees what was appended, and what was synced is certain."""
    pieces, wrong, ended, appended = 64, [], Event(), SimpleQueue()

    def sync() -> None:
        while not ended.is_set():
            part.sync()

    def read() -> None:
        buffer = memoryview(bytearray(PIECE))
        wrong.extend(
            number
            for number in iter(appended.get, None)
            if part.read_into(buffer, number * PIECE) != PIECE or buffer != piece(number)
        )

    with objects.resume(object_id) as part:
        others = [Thread(target=sync), Thread(target=read)]
        for thread in others:
            thread.start()
        try:
            for number in range(pieces):
                part.append(piece(number))
                appended.put(number)
        finally:
            ended.set()
            appended.put(None)
            for thread in others:
                thread.join()
        part.sync()
    assert wrong == []
    with store.opened_after_boot().resume(object_id) as part:
        assert part.read_at(0, part.size) == first(pieces * PIECE)


@pytest.mark.parametrize("object_id", ["../../etc/passwd", "", "x" * 36, "00000000-0000-4000-8000-00000000000/"])
def test_no_part_is_made_of_what_is_no_id(objects, store, object_id):
    """Whoever names it; nor is anything deleted."""
    with pytest.raises(StorageError, match="no id of ours"), objects.resume(object_id):
        pass
    with pytest.raises(StorageError, match="no id of ours"):
        objects.delete(object_id)
    assert store.left() == set()
