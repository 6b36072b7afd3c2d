"""A check of the store finds what is wrong and nothing else, and a repair loses nothing."""

from __future__ import annotations

from hashlib import sha256
from uuid import uuid4

import pytest
from stocked import Meanwhile, Unreadable, cut, flip, held, unlink

from isobay.engines.local import Checker, Mender
from isobay.errors import StorageError, WrongStateError
from isobay.model import IsoEdit, NewUpload

DAMAGES = pytest.mark.parametrize(("damage", "kind"), [(flip, "sha256"), (cut, "size"), (unlink, "missing")])


def test_nothing_is_found_where_nothing_is_wrong(stock, other_image):
    """Images, equal ones among them, and one that arrives: all is as it should be, and nothing is touched."""
    stock.add()
    stock.add()
    stock.add(other_image)
    visit = stock.built.door.operate("test_area")
    upload = visit.engine.start_upload(visit.place, NewUpload(name="arriving"), 1000)
    receiving = visit.engine.receive_upload(visit.place, upload.id, 0)
    receiving.take(b"x" * 10)
    before = stock.files()
    assert stock.check() == stock.check(repairs=True) == []
    receiving.leave()
    assert stock.check(repairs=True) == []
    assert stock.files().keys() == before.keys()
    assert visit.engine.get_upload(visit.place, upload.id).offset == 10


@DAMAGES
def test_damage_is_found_and_by_itself_changes_nothing(stock, other_image, damage, kind):
    """A changed byte, a lost end and a lost file are told with the ISO; what is sound is not."""
    iso = stock.add()
    stock.add(other_image)
    damage(stock.path(iso.id))
    before = stock.files()
    [found] = stock.check()
    assert (found.kind, found.size, [each.id for each in found.isos]) == (kind, iso.size, [iso.id])
    assert (found.object_id, found.repaired) == (stock.kept(iso.id).object_id, "")
    assert stock.files() == before
    assert stock.iso(iso.id) == iso


def test_only_reading_finds_a_changed_byte(stock):
    """Without the hash a check looks at what is there and how long it is."""
    changed = stock.add()
    flip(stock.path(changed.id))
    assert stock.kinds(hashes=False) == []
    cut(stock.path(changed.id))
    assert stock.kinds(hashes=False) == ["size"]


@DAMAGES
def test_a_repair_fails_the_iso_and_keeps_its_bytes(stock, damage, kind):
    """It says what was found and what to do, nobody is given the bytes, and a second check has nothing to say."""
    iso = stock.add()
    damage(stock.path(iso.id))
    before = stock.files()
    [found] = stock.check(repairs=True)
    assert (found.kind, found.repaired) == (kind, "The ISOs are failed now.")
    failed = stock.iso(iso.id)
    assert (failed.status, failed.ready, failed.checksums) == ("failed", False, iso.checksums)
    assert found.found in failed.status_message
    assert "Delete the ISO and add it again" in failed.status_message
    with pytest.raises(WrongStateError):
        stock.content(iso.id)
    assert stock.check(repairs=True) == []
    assert stock.files() == before
    assert stock.damaged() == 1


@DAMAGES
def test_bytes_from_a_backup_make_the_iso_ready_again(stock, damage, kind):
    """With a repair, and only when every byte is right."""
    iso = stock.add()
    path = stock.path(iso.id)
    damage(path)
    assert stock.kinds(repairs=True) == [kind]
    path.write_bytes(stock.image.read_bytes()[:-1] + b"\xff")
    assert stock.kinds(repairs=True) == []
    path.write_bytes(stock.image.read_bytes())
    assert stock.kinds() == ["returned"]
    assert stock.iso(iso.id).status == "failed"
    [found] = stock.check(hashes=False, repairs=True)
    assert (found.kind, found.repaired, found.isos[0].id) == ("returned", "The ISO is ready again.", iso.id)
    back = stock.iso(iso.id)
    assert (back.status, back.ready, back.status_message, back.progress) == ("ready", True, "", 1.0)
    assert stock.content(iso.id) == stock.image.read_bytes()
    assert stock.check() == []
    assert stock.damaged() == 0


def test_equal_images_that_share_their_bytes_fail_together(stock):
    """The damaged bytes stay until the last of them is deleted; the same image added again is theirs as well."""
    first, second = stock.add(), stock.add()
    path = stock.path(first.id)
    flip(path)
    [found] = stock.check(repairs=True)
    assert [each.id for each in found.isos] == [first.id, second.id]
    assert stock.damaged() == 2
    stock.delete(first.id)
    assert list(stock.files()) == [path]
    third = stock.add()
    [found] = stock.check(repairs=True)
    assert (found.kind, found.object_id) == ("returned", stock.kept(third.id).object_id)
    assert stock.content(second.id) == stock.image.read_bytes()
    assert list(stock.files()) == [stock.path(third.id)]
    assert stock.check() == []


@DAMAGES
@pytest.mark.parametrize("which", [0, 1], ids=["older", "newer"])
def test_a_sound_double_takes_the_place_of_a_damaged_one(stock, which, damage, kind):
    """Where an equal image has bytes of its own, both have these, no ISO fails, and the damaged ones go."""
    isos = [stock.add(), stock.add(settled=False)]
    assert len(stock.files()) == 2
    damage(stock.path(isos[which].id))
    [found] = stock.check(repairs=True)
    assert (found.kind, found.repaired) == (kind, "The ISOs have an equal object now.")
    assert list(stock.files()) == [stock.path(isos[1 - which].id)]
    for iso in isos:
        assert stock.content(iso.id) == stock.image.read_bytes()


def test_a_double_that_is_damaged_too_is_nobody_s_rescue(stock):
    """Each keeps its own bytes, and both fail."""
    isos = [stock.add(), stock.add(settled=False)]
    for iso in isos:
        flip(stock.path(iso.id))
    before = stock.files()
    assert stock.kinds(repairs=True) == ["sha256", "sha256"]
    assert stock.files() == before
    assert [stock.iso(iso.id).status for iso in isos] == ["failed", "failed"]


def test_bytes_that_nobody_needs_are_found_and_deleted(stock):
    """An object whose row never came and a part that was left; what another process receives is none of them."""
    kept = stock.add()
    objects, root = stock.built.objects, stock.built.settings.objects_dir
    with objects.receive_file(stock.image, 1 << 30, lambda _done, _total: None, lambda _read, _size: None) as received:
        pass
    part_id, held_id = str(uuid4()), str(uuid4())
    with objects.resume(part_id) as part:
        part.append(b"left")
    with held(root, held_id):
        orphans = {(received.object_id, received.size), (part_id, 4)}
        before = stock.files()
        assert {(each.object_id, each.size) for each in stock.check()} == orphans
        assert stock.files() == before
        assert {each.repaired for each in stock.check(repairs=True)} == {"Deleted."}
        assert stock.check() == []
    assert {path.stem for path in stock.files()} == {stock.kept(kept.id).object_id, held_id}
    assert stock.kinds(repairs=True) == ["orphan"]
    assert list(stock.files()) == [stock.path(kept.id)]


def test_bytes_whose_row_comes_meanwhile_are_no_orphan(stock, other_image):
    """Whoever received them may have ended between the look at the catalogue and the hold, so that is asked again."""
    iso = stock.add()
    other_id = stock.kept(stock.add(other_image).id).object_id
    object_id = stock.kept(iso.id).object_id
    stock.change(iso.id, object_id=other_id)
    objects = Meanwhile(stock.built.settings.objects_dir, lambda: stock.change(iso.id, object_id=object_id))
    assert list(Checker(stock.built.catalog, objects).orphans()) == []
    assert stock.kept(iso.id).object_id == object_id


def test_an_iso_that_is_deleted_while_it_is_read_is_no_finding(stock):
    """Its bytes are of no account any more, damaged or not."""
    iso = stock.add()
    flip(stock.path(iso.id))
    told = []

    def delete(done: int, total: int) -> None:
        if not told:
            stock.delete(iso.id)
        told.append((done, total))

    assert stock.check(repairs=True, progress=delete) == []
    assert told[-1] == (iso.size, iso.size)


def test_an_iso_that_is_changed_while_it_is_read_is_read_again(stock):
    """What is found of it is told of the ISO as it is then."""
    iso = stock.add()
    flip(stock.path(iso.id))
    visit = stock.built.door.operate("test_area")
    names = iter(["renamed"])

    def rename(_done: int, _total: int) -> None:
        for name in names:
            visit.engine.edit_iso(visit.place, iso.id, IsoEdit(name=name))

    [found] = stock.check(repairs=True, progress=rename)
    assert (found.kind, found.isos[0].name) == ("sha256", "renamed")
    assert (stock.iso(iso.id).name, stock.iso(iso.id).status) == ("renamed", "failed")


def test_what_was_found_counts_no_more_when_the_iso_was_changed(stock):
    """A repair of what is not so any more does nothing, and says so by an empty sentence."""
    checker = Checker(stock.built.catalog, stock.built.objects)
    mender = Mender(stock.built.catalog, stock.built.objects, checker)
    iso = stock.add()
    path = stock.path(iso.id)
    flip(path)
    fault = checker.fault(stock.kept(iso.id).object_id, int)
    stock.change(iso.id, updated="later")
    assert mender.mend(fault, int) == ""
    assert stock.iso(iso.id).ready
    assert mender.mend(checker.fault(fault.object_id, int), int)
    failed = stock.kept(iso.id)
    flip(path)
    assert mender.sound_again(failed, int) == failed.object_id
    stock.change(iso.id, updated="still later")
    assert mender.revive(failed, failed.object_id) == ""
    assert stock.iso(iso.id).status == "failed"


def test_bytes_that_the_disk_does_not_give_back_are_damaged(stock):
    """The reason is the disk's own."""
    iso = stock.add()
    checker = Checker(stock.built.catalog, Unreadable(stock.built.settings.objects_dir))
    fault = checker.fault(stock.kept(iso.id).object_id, int)
    assert (fault.kind, fault.isos) == ("unreadable", [stock.kept(iso.id)])
    assert "Input/output error" in fault.found


def test_a_store_that_does_not_tell_fails_no_iso(stock):
    """A file that may not be read, here one in whose place is a link, is an error with its path, and no finding."""
    iso = stock.add()
    path = stock.path(iso.id)
    moved = path.rename(path.with_name("moved"))
    path.symlink_to(moved)
    with pytest.raises(StorageError, match=path.name):
        stock.check(repairs=True)
    assert stock.iso(iso.id) == iso
    assert sha256(moved.read_bytes()).hexdigest() == iso.checksums["sha256"]
