"""What is true of parts in S3 beyond what every store promises."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from uuid import uuid4

import botocore.auth
import pytest
from pieces import PIECE, first, piece, receiving

from isobay.errors import MissingObjectError, StorageError, UnavailableError

MIB = 1 << 20
WHOLE_PIECE = 8 * MIB


@pytest.fixture
def object_id() -> str:
    """An id of a new object."""
    return str(uuid4())


def _names(store, object_id):
    return sorted(key.rpartition("/")[2] for key in store.listed() if object_id in key)


def test_a_killed_process_loses_what_it_did_not_sync_and_nothing_else(store, tmp_path, object_id):
    """Another machine goes on at the last sync, or at the last full piece."""
    with receiving(store, object_id, pieces=70, then="part.sync(); part.append(piece(70))") as process:
        assert [process.stdout.readline() for _ in range(71)][-1] == "done\n"
        process.kill()
        process.wait()
    other_machine = type(store)(store.server, tmp_path / "other", **store.options)
    with other_machine.opened().resume(object_id) as part:
        assert part.size == 70 * PIECE
        part.append(piece(70))
        assert part.read_at(0, part.size) == first(71 * PIECE)
        part.publish()
    assert store.left() == {(object_id, "whole")}


def test_pieces_are_as_few_as_can_be(store, object_id):
    """Short ones that a sync made go when there are longer ones, and none is cut where it was put down."""
    objects = store.opened()
    for _ in range(3):
        with objects.resume(object_id) as part:
            for _ in range(7):
                part.append(first(MIB))
                part.sync()
    ends = [WHOLE_PIECE, 2 * WHOLE_PIECE, 21 * MIB]
    starts = [0, *ends[:-1]]
    assert _names(store, object_id) == [*(f"{a:015}-{b:015}" for a, b in zip(starts, ends, strict=True)), "begun"]
    with objects.resume(object_id) as part:
        assert part.size == 21 * MIB
        assert part.read_at(0, part.size) == first(MIB) * 21


def test_a_piece_that_somebody_changes_is_not_used(store, object_id):
    """Bytes that were looked at are the bytes that are published, or none are."""
    objects = store.opened()
    with objects.resume(object_id) as part:
        part.append(first(3 * MIB))
        part.sync()
        key = f"{store.prefix}/incoming/{object_id}/{0:015}-{3 * MIB:015}"
        store.s3.put_object(Bucket=store.bucket, Key=key, Body=bytes(3 * MIB))
        with pytest.raises(StorageError, match="Send the image again"):
            part.publish()
    assert {kind for _, kind in store.left()} == {"part"}


def test_a_piece_whose_size_is_not_its_names_is_not_certain(store, object_id):
    """What is not there counts from there on."""
    objects = store.opened()
    with objects.resume(object_id) as part:
        part.append(first(12 * MIB))
    store.s3.put_object(
        Bucket=store.bucket,
        Key=f"{store.prefix}/incoming/{object_id}/{WHOLE_PIECE:015}-{12 * MIB:015}",
        Body=b"half",
    )
    assert objects.received(object_id) == WHOLE_PIECE
    with objects.resume(object_id) as part:
        assert part.size == WHOLE_PIECE


def test_a_published_object_without_pieces_becomes_a_part_again(store, object_id):
    """S3 copies its bytes into pieces itself, and they are gone on with."""
    objects = store.opened()
    with objects.resume(object_id) as part:
        part.append(first(30 * MIB))
        part.publish()
    assert store.left() == {(object_id, "whole")}
    with objects.resume(object_id) as part:
        assert part.size == objects.received(object_id) == 30 * MIB
        with pytest.raises(StorageError):
            objects.open(object_id)
        part.append(b"more")
        part.publish()
        assert part.read_at(0, 31 * MIB) == first(30 * MIB) + b"more"
    assert store.left() == {(object_id, "whole")}


def test_an_object_with_some_of_its_pieces_becomes_a_part_again(store, object_id):
    """Its process died while it deleted them: the object has the bytes."""
    objects = store.opened()
    with suppress(LookupError), objects.resume(object_id) as part:
        part.append(first(20 * MIB))
        part.publish()
        second = f"{store.prefix}/incoming/{object_id}/{WHOLE_PIECE:015}-{2 * WHOLE_PIECE:015}"
        store.s3.delete_object(Bucket=store.bucket, Key=second)
        raise LookupError
    assert objects.received(object_id) == 20 * MIB
    with objects.resume(object_id) as part:
        assert part.read_at(0, 21 * MIB) == first(20 * MIB)


def test_a_sweep_takes_the_pieces_of_what_is_whole(store, object_id):
    """Their process died when the ISO was ready already."""
    objects = store.opened()
    with receiving(store, object_id, pieces=3, then="part.publish()") as process:
        assert [process.stdout.readline() for _ in range(4)][-1] == "done\n"
        assert objects.sweep(lambda _id: True) == 0
        assert store.left() == {(object_id, "part"), (object_id, "whole")}
        process.kill()
        process.wait()
    assert objects.sweep(lambda _id: True) == 0
    assert store.left() == {(object_id, "whole")}
    stored = objects.open(object_id)
    assert stored.read_at(0, stored.size + 1) == first(3 * PIECE)
    stored.close()


def test_an_outage_is_said_and_outlived(store, door, object_id):
    """While S3 is away what is appended fails to be synced; when it is back nothing of it is lost."""
    objects = store.opened()
    with objects.resume(object_id) as part:
        part.append(first(MIB))
        part.sync()
        part.append(piece(2))
        door.is_shut = True
        with pytest.raises(UnavailableError, match="does not answer"):
            part.sync()
        with pytest.raises(UnavailableError):
            objects.received(object_id)
        door.is_shut = False
        part.sync()
        part.publish()
    stored = objects.open(object_id)
    assert stored.read_at(0, 2 * MIB) == first(MIB) + piece(2)
    stored.close()


def test_a_piece_that_s3_lost_is_to_be_sent_again(store, object_id):
    """Nobody has a backup of what is still received; and callers are not told where it was."""
    objects = store.opened()
    with objects.resume(object_id) as part:
        part.append(first(MIB))
    with objects.resume(object_id) as part:
        (name,) = (each for each in _names(store, object_id) if each != "begun")
        store.s3.delete_object(Bucket=store.bucket, Key=f"{store.prefix}/incoming/{object_id}/{name}")
        with pytest.raises(MissingObjectError, match="Send the image again") as caught:
            part.read_at(0, MIB)
    assert "Send the image again" in caught.value.public
    assert not any(place in caught.value.public for place in ("s3://", store.prefix, "127.0.0.1", object_id))


def test_a_wrong_clock_is_said(store, monkeypatch):
    """S3 refuses what is signed with another time than its own; the log says what to set, callers are not told."""
    objects, now = store.opened(), botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now() + timedelta(hours=3))
    with pytest.raises(StorageError, match="the clock of this machine is wrong") as caught:
        list(objects.stored())
    assert "clock" not in caught.value.public


def test_large_reads_in_a_row_are_few_requests_and_small_ones_fetch_what_they_ask(store, door, object_id):
    """A download of 48 MiB takes two; a look at 2 KiB brings 2 KiB."""
    objects, size = store.opened(), 48 * MIB
    with objects.resume(object_id) as part:
        part.append(first(size))
        part.publish()
    stored = objects.open(object_id)
    door.passed.clear()
    assert b"".join(stored.read_at(offset, MIB) for offset in range(0, size, MIB)) == first(size)
    stored.close()
    gets = [each for each in door.passed if each.method == "GET"]
    assert (len(gets), sum(each.size for each in gets)) == (2, size)
    door.passed.clear()
    for offset in (9 * MIB, 100, 40 * MIB + 7):
        assert stored.read_at(offset, 2048) == first(size)[offset : offset + 2048]
    assert stored.read_at(5 * MIB, MIB) == first(size)[5 * MIB : 6 * MIB]
    assert [each.size for each in door.passed] == [2048, 2048, 2048, MIB]


def test_a_process_may_die_at_any_request(store, door):
    """Whether S3 did what it was asked last or not, another goes on from what is there, and nothing else is left."""
    objects, content = store.opened(), first(30 * PIECE) + b"tail"
    life = "part.sync(); part.append(b'tail'); part.sync(); part.restart(5 << 20); part.publish()"
    number, is_over = 0, False
    while not is_over:
        number += 2
        object_id = str(uuid4())
        with receiving(store, object_id, pieces=30, then=life) as process:
            door.watch = _killing(process, number)
            is_over = any(line == "done\n" for line in iter(process.stdout.readline, ""))
            process.kill()
            process.wait()
        door.watch = lambda _method, _path: None
        certain = objects.received(object_id)
        with objects.resume(object_id) as part:
            assert part.size == certain
            assert part.read_at(0, certain) == content[:certain]
            part.append(content[certain:])
            part.publish()
        stored = objects.open(object_id)
        assert stored.read_at(0, stored.size + 1) == content
        stored.close()
        assert store.left() == {(object_id, "whole")}
        objects.delete(object_id)
    assert number > 15


def _killing(process: subprocess.Popen[str], number: int) -> Callable[[str, str], None]:
    """Kill a process at its so-manieth request, which S3 gets all the same every second time."""
    seen = count(1)

    def watch(_method: str, _path: str) -> None:
        if next(seen) == number:
            process.kill()
            process.wait()
            if number % 4:
                raise ConnectionAbortedError

    return watch
