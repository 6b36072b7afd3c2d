"""Catalogue and host agree: after what guests do by themselves, after deaths, and while hosts are away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import msgspec
import pytest
from rack import PATIENCE_SECONDS, logged, until

from isobay.errors import HypervisorError, UnavailableError
from isobay.model import Task


def test_the_tray_is_empty_after_the_first_reboot(rack, bootable, data):
    """An instance that is to eject boots from the ISO once, and goes on without it; other ISOs stay."""
    system, drivers = rack.shelve(bootable, "system"), rack.shelve(data, "drivers")
    made = rack.make(system, eject_after_install=True, additional_iso_ids=[drivers.id])
    assert (made.eject_after_install, made.iso_id) == (True, system.id)

    rack.hypervisor.reboot_itself(made.id)
    until(lambda: not rack.get(made).eject_after_install, "the ISO is ejected")
    after = rack.get(made)
    assert (after.state, after.iso_id, [each.slot for each in after.isos]) == ("Running", "", [1])
    rack.hypervisor.reboot_itself(made.id)
    assert rack.get(made).state == "Running"
    rack.here.engine.delete_iso(rack.here.place, rack.here.identity, system.id)


def test_an_instance_that_was_asked_to_stop_stays_stopped(rack, bootable):
    """One that is to eject, and is stopped before its first reboot, keeps its ISO and stays as it was asked to be."""
    made = rack.make(rack.shelve(bootable, "system"), eject_after_install=True)
    rack.do("stop", made, force=False)
    rack.built.watching.tend()
    stopped = rack.get(made)
    assert (stopped.state, stopped.eject_after_install, len(stopped.isos)) == ("Stopped", True, 1)

    rack.do("start", made)
    rack.hypervisor.reboot_itself(made.id)
    until(lambda: not rack.get(made).isos, "the ISO is ejected after all")


def test_a_guest_that_does_not_heed_is_told_so(rack, bootable):
    """A stop that the guest ignores fails with what to do, and a forced one does not wait for it."""
    made = rack.make(rack.shelve(bootable, "system"))
    rack.hypervisor.disobey(made.id)

    _, task = rack.instances.stop(rack.here.place, made.id, force=False)
    assert rack.get(made).state == "Stopping"
    failed = rack.ended(task)
    assert failed.status == "FAILED"
    assert "forceStop" in failed.message
    assert rack.get(made).state == "Running"
    _, patient = rack.instances.stop(rack.here.place, made.id, force=False)
    assert rack.do("stop", made, force=True).state == "Stopped"
    assert rack.ended(patient).status == "FAILED"


def test_what_is_changed_at_the_host_is_shown_as_it_is(rack, bootable):
    """A guest that is stopped, changed, emptied or undefined behind isobay's back is told so, and can be started."""
    iso = rack.shelve(bootable, "system")
    made = rack.make(iso)
    rack.hypervisor.insert(made.id, 0, None)
    rack.hypervisor.stop(made.id, force=True)
    changed = msgspec.structs.replace(rack.hypervisor.defined(made.id), memory_mb=512)
    rack.hypervisor.define(changed)
    shown = rack.get(made)
    assert (shown.state, shown.memory_in_mb, shown.isos) == ("Stopped", 512, [])
    until(lambda: not _uses(rack, iso), "the ISO is nobody's")

    rack.hypervisor.forget(made.id)
    gone = rack.get(made)
    assert gone.state == "Error"
    assert "Start the instance" in gone.state_message
    assert rack.do("start", made).state == "Running"
    assert list(rack.hypervisor.disks().values()) == [1]


def test_a_lost_disk_is_not_replaced_by_an_empty_one(rack, bootable):
    """An instance whose guest and disk are gone does not start as if it were new; its task says what is missing."""
    made = rack.make(rack.shelve(bootable, "system"))
    rack.hypervisor.remove(made.id)
    failed = rack.ended(rack.instances.start(rack.here.place, made.id)[1])
    assert failed.status == "FAILED"
    assert "disk" in failed.message
    assert rack.hypervisor.disks() == {}


def _uses(rack, iso):
    with rack.built.catalog.reading() as tx:
        return rack.built.catalog.instances.users(tx, iso.id)


def test_a_guest_without_a_row_is_taken_away(unattended, bootable):
    """What an attempt left that was thought dead goes; what has a row, or a task of its own that is pending, stays.

    Its disk stays too: where the catalogue came back from an old backup, it is somebody's.
    """
    rack = unattended
    iso = rack.shelve(bootable, "system")
    with rack.working():
        kept = rack.make(iso)
    guest = rack.hypervisor.defined(kept.id)
    stray = guest.id[:-1] + "y"
    proof = Task(id=guest.id[:-1] + "x", kind="iso.prove", status="PENDING", created=kept.created)
    with rack.built.catalog.writing() as tx:
        rack.built.catalog.tasks.add(tx, proof)
    rack.hypervisor.define(msgspec.structs.replace(guest, id=proof.id, disk=""))
    rack.hypervisor.define(msgspec.structs.replace(guest, id=stray, disk=rack.hypervisor.make_disk(stray, 1)))

    rack.built.watching.tend()
    assert rack.hypervisor.all().keys() == {kept.id, proof.id}
    assert len(rack.hypervisor.disks()) == 2


def test_a_disk_of_no_instance_is_found_and_deleted_when_asked(anywhere, bootable):
    """The check of the store finds a disk that nobody has, and with a repair deletes it; what instances have stays.

    A destroyed instance has its disk still, and so has one whose guest somebody undefined.
    """
    rack = anywhere
    destroyed, undefined = (rack.make(rack.shelve(bootable, name)) for name in ("destroyed", "undefined"))
    rack.do("destroy", destroyed, purge=False)
    rack.hypervisor.remove(undefined.id, keep_disk=True)
    assert _left(rack) == []
    stray = made_up(destroyed.id)
    rack.hypervisor.make_disk(stray, 1)
    assert _left(rack) == [(stray, "")]
    assert _left(rack) == [(stray, "")]
    assert _left(rack, repairs=True) == [(stray, "Deleted.")]
    assert _left(rack) == []
    assert rack.do("start", undefined).state == "Running"
    assert rack.do("recover", destroyed).state == "Stopped"
    assert rack.do("start", destroyed).state == "Running"


def made_up(instance_id):
    """An id that no instance has."""
    return instance_id[:-4] + ("0000" if instance_id[-4:] != "0000" else "1111")


def _left(rack, *, repairs=False):
    survey = rack.built.survey(hashes=False, repairs=repairs)
    found = [each for each in survey.run(lambda _done, _all: None) if each.kind == "disk"]
    return [(each.object_id, each.repaired) for each in found]


def test_a_host_that_is_away_is_not_searched(rack, bootable):
    """What the host does not tell is no finding, and the check of the store goes on without it."""
    rack.hypervisor.make_disk(made_up(rack.make(rack.shelve(bootable, "system")).id), 1)
    with rack.hypervisor.away():
        assert _left(rack, repairs=True) == []
    assert len(_left(rack)) == 1


def test_a_disk_that_its_host_keeps_is_told_of(rack, bootable, monkeypatch):
    """Where the host does not delete a disk the log says why, and what else was found is told."""
    first = rack.make(rack.shelve(bootable, "system")).id
    strays = sorted((made_up(first), f"{first[:-4]}2222"))
    for each in strays:
        rack.hypervisor.make_disk(each, 1)
    remove = rack.hypervisor.remove

    def refuse(guest_id):
        if guest_id == strays[0]:
            raise HypervisorError("It is in use elsewhere.")
        remove(guest_id)

    monkeypatch.setattr(rack.hypervisor, "remove", refuse)
    with logged() as log:
        assert _left(rack, repairs=True) == [(strays[0], ""), (strays[1], "Deleted.")]
    assert "in use elsewhere" in log.getvalue()


def test_an_attempt_that_was_thought_dead_leaves_nothing(unattended, bootable, monkeypatch):
    """A worker that freezes while it makes a guest, and wakes when the instance is purged, takes its work back."""
    rack = unattended
    made, _ = rack.ask(rack.shelve(bootable, "system"))
    define, defined = rack.hypervisor.define, Event()

    def define_late(guest):
        with rack.built.catalog.writing() as tx:  # as another worker does that purges it
            rack.built.catalog.tasks.end_all_of(tx, made.id, "Done by another.", {})
            rack.built.catalog.instances.delete(tx, made.id)
        define(guest)
        defined.set()

    monkeypatch.setattr(rack.hypervisor, "define", define_late)
    with ThreadPoolExecutor(1) as threads:
        stop = Event()
        running = threads.submit(rack.built.runner.run, stop)
        assert defined.wait(PATIENCE_SECONDS)
        stop.set()
        running.result(PATIENCE_SECONDS)
    assert (rack.hypervisor.all(), rack.hypervisor.disks()) == ({}, {})


@pytest.mark.parametrize("step", ["make_disk", "define", "start"])
def test_work_goes_on_after_a_death(unattended, bootable, monkeypatch, step):
    """A create that ends in death after any of its steps ends well when it is begun again, with one guest and disk."""
    rack = unattended
    done = getattr(rack.hypervisor, step)

    def die_after(*arguments):
        monkeypatch.setattr(rack.hypervisor, step, done)
        done(*arguments)
        raise DeathError

    monkeypatch.setattr(rack.hypervisor, step, die_after)
    made, task = rack.ask(rack.shelve(bootable, "system"))
    with rack.working():
        assert rack.done(task).attempt == 2
    assert rack.get(made).state == "Running"
    assert len(rack.hypervisor.all()) == len(rack.hypervisor.disks()) == 1


class DeathError(BaseException):
    """What no handler handles, as the end of its process."""


def test_a_host_that_is_away_is_told(rack, bootable):
    """While its host is away an instance cannot be asked about; then it is as it was."""
    iso = rack.shelve(bootable, "system")
    made = rack.make(iso)
    with rack.hypervisor.away():
        for ask in (lambda: rack.get(made), rack.all, lambda: rack.ask(iso)):
            with pytest.raises(UnavailableError):
                ask()
    assert rack.get(made).state == "Running"


def test_a_host_that_starts_anew_is_waited_for(unattended, bootable):
    """What is done with an instance while its host is away for a moment is done when it is back."""
    rack = unattended
    _, task = rack.ask(rack.shelve(bootable, "system"))

    def said():
        with rack.built.catalog.reading() as tx:
            return rack.built.catalog.tasks.get(tx, task.id).message

    with ExitStack() as stack:
        away = stack.enter_context(ExitStack())
        away.enter_context(rack.hypervisor.away())
        stack.enter_context(rack.working())
        until(lambda: said() == "Making the guest.", "the worker is at the host")
        away.close()
        assert rack.done(task).status == "SUCCESS"


def test_a_failed_create_can_be_tried_again_or_purged(unattended, bootable):
    """It is in error and says why; a start makes it after all, and purging it leaves nothing."""
    rack = unattended
    iso = rack.shelve(bootable, "system")
    made, task = rack.ask(iso)
    other, second = rack.ask(iso)
    path = rack.built.objects.path(_object(rack, iso))
    path.rename(path.with_suffix(".away"))
    with rack.working():
        assert rack.ended(task).status == rack.ended(second).status == "FAILED"
        failed = rack.get(made)
        assert failed.state == "Error"
        assert "bytes of this ISO" in failed.state_message
        path.with_suffix(".away").rename(path)
        assert rack.do("start", made).state == "Running"
        assert rack.get(made).state_message == ""
        rack.do("destroy", other, purge=True)
        rack.do("destroy", made, purge=True)
    assert (rack.hypervisor.all(), rack.hypervisor.disks()) == ({}, {})


def _object(rack, iso):
    with rack.built.catalog.reading() as tx:
        return rack.built.catalog.isos.by_id(tx, iso.id).object_id
