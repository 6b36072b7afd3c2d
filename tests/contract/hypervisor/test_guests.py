"""What every host does with guests, the twin in memory and a real one alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from new_guest import new_guest

from isobay.errors import HypervisorError, NotFoundError, WrongStateError
from isobay.hypervisor import SLOTS, Change, Drive, Hypervisor, Seen

TELLING_SECONDS = 30


def seen(hypervisor: Hypervisor, guest_id: str) -> Seen:
    """A guest that must be there."""
    found = hypervisor.get(guest_id)
    assert found
    return found


def images(hypervisor: Hypervisor, guest_id: str) -> list[Path | None]:
    """What is in its drives."""
    return [drive.image for drive in seen(hypervisor, guest_id).drives]


def test_a_host_tells_what_it_runs(hypervisor: Hypervisor):
    """The host has a name, and runs x86_64 by BIOS and UEFI, and what is older by BIOS alone."""
    host = hypervisor.host()
    assert host.name
    firmware = {architecture.name: architecture.firmware for architecture in host.architectures}
    assert firmware["x86_64"] == ("bios", "uefi", "uefi-secure")
    assert firmware["i686"] == ("bios",)


def test_a_guest_is_shown_as_it_was_defined(hypervisor: Hypervisor, new_image: Callable[[str], Path]):
    """A defined guest is stopped, with its processors, its memory and all its drives; alone and among all."""
    first, third = new_image("first"), new_image("third")
    guest = new_guest(hypervisor, first, None, third, cpu_count=2, memory_mb=192)
    hypervisor.define(guest)
    drives = (Drive(0, first), Drive(1, None), Drive(2, third), Drive(3, None))
    expected = Seen(id=guest.id, power="Stopped", cpu_count=2, memory_mb=192, drives=drives)
    assert hypervisor.get(guest.id) == expected
    assert hypervisor.all() == {guest.id: expected}


def test_all_are_shown_as_each_of_them_is(hypervisor: Hypervisor, new_image: Callable[[str], Path]):
    """Whatever they are made of and whether they run, all guests together are shown as each of them alone, always."""
    one, lost = new_image("one"), new_image("lost")
    guests = [
        new_guest(hypervisor, one, None, lost, cpu_count=2, memory_mb=192),
        new_guest(hypervisor, None, one, firmware="uefi", disk=""),
        new_guest(hypervisor, network="user"),
    ]
    for guest in guests:
        hypervisor.define(guest)
    lost.unlink()

    def agree() -> bool:
        return hypervisor.all() == {guest.id: seen(hypervisor, guest.id) for guest in guests}

    assert agree()
    assert agree()
    hypervisor.start(guests[2].id)
    hypervisor.insert(guests[1].id, 3, one)
    assert agree()
    hypervisor.stop(guests[2].id, force=True)
    hypervisor.insert(guests[1].id, 1, None)
    assert agree()
    hypervisor.remove(guests.pop(0).id)
    assert agree()


def test_a_guest_starts_and_stops(hypervisor: Hypervisor):
    """A guest runs until its plug is pulled; what is asked for twice is done once."""
    guest = new_guest(hypervisor)
    hypervisor.define(guest)
    for _ in range(2):
        hypervisor.start(guest.id)
        assert seen(hypervisor, guest.id).power == "Running"
    for _ in range(2):
        hypervisor.stop(guest.id, force=True)
        assert (seen(hypervisor, guest.id).power, seen(hypervisor, guest.id).stopped_itself) == ("Stopped", False)
    hypervisor.stop(guest.id, force=False)
    assert seen(hypervisor, guest.id).power == "Stopped"


def test_a_disk_is_made_once(hypervisor: Hypervisor):
    """A disk that is there is kept, under the same name."""
    guest_id = str(uuid4())
    assert hypervisor.make_disk(guest_id, 1) == hypervisor.make_disk(guest_id, 1)


@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_images_change(hypervisor: Hypervisor, new_image: Callable[[str], Path], runs: bool):
    """An image goes into its drive, running or not, and stays there for later starts; the other drives keep theirs."""
    first, second = new_image("first"), new_image("second")
    guest = new_guest(hypervisor, first)
    hypervisor.define(guest)
    if runs:
        hypervisor.start(guest.id)
    hypervisor.insert(guest.id, 3, second)
    assert images(hypervisor, guest.id) == [first, None, None, second]
    hypervisor.insert(guest.id, 0, second)
    hypervisor.insert(guest.id, 3, None)
    hypervisor.insert(guest.id, 3, None)
    assert images(hypervisor, guest.id) == [second, None, None, None]
    hypervisor.stop(guest.id, force=True)
    assert images(hypervisor, guest.id) == [second, None, None, None]


def test_a_guest_is_defined_anew_while_it_runs(hypervisor: Hypervisor, new_image: Callable[[str], Path]):
    """What runs goes on as it is, and takes up its new definition at its next start."""
    first, second = new_image("first"), new_image("second")
    guest = new_guest(hypervisor, first)
    hypervisor.define(guest)
    hypervisor.start(guest.id)
    drives = (Drive(0, None), Drive(1, second))
    hypervisor.define(msgspec.structs.replace(guest, memory_mb=256, drives=drives, stops_at_reboot=True))
    assert seen(hypervisor, guest.id).memory_mb == 128
    assert images(hypervisor, guest.id) == [first, None, None, None]
    assert [drive.image for drive in hypervisor.drives_at_start(guest.id)] == [None, second, None, None]
    hypervisor.stop(guest.id, force=True)
    assert seen(hypervisor, guest.id).memory_mb == 256
    assert images(hypervisor, guest.id) == [None, second, None, None]


def test_a_disk_that_no_guest_has_is_found(hypervisor: Hypervisor):
    """A disk is left before its guest is there and when it is gone, and not while the guest has it, running or not."""
    guest = new_guest(hypervisor)
    assert hypervisor.left_disks().keys() == {guest.id}
    hypervisor.define(guest)
    assert hypervisor.left_disks() == {}
    hypervisor.start(guest.id)
    hypervisor.define(msgspec.structs.replace(guest, disk=""))
    assert hypervisor.left_disks() == {}
    hypervisor.remove(guest.id, keep_disk=True)
    (size,) = hypervisor.left_disks().values()
    assert 0 < size <= 1 << 30
    hypervisor.remove(guest.id)
    assert hypervisor.left_disks() == {}


def test_a_guest_is_taken_away(hypervisor: Hypervisor):
    """A guest goes, running or not, and its disk goes or stays; who is gone may be taken away again."""
    guest = new_guest(hypervisor)
    hypervisor.define(guest)
    hypervisor.start(guest.id)
    hypervisor.remove(guest.id, keep_disk=True)
    assert hypervisor.get(guest.id) is None
    assert hypervisor.all() == {}
    hypervisor.define(guest)
    hypervisor.start(guest.id)  # its disk is there still
    hypervisor.remove(guest.id)
    hypervisor.define(guest)
    with pytest.raises(HypervisorError, match=guest.disk):
        hypervisor.start(guest.id)
    hypervisor.remove(guest.id)
    hypervisor.remove(guest.id)
    assert hypervisor.all() == {}


CALLS: dict[str, Callable[[Hypervisor, str], Any]] = {
    "start": lambda hypervisor, guest_id: hypervisor.start(guest_id),
    "stop": lambda hypervisor, guest_id: hypervisor.stop(guest_id, force=True),
    "reboot": lambda hypervisor, guest_id: hypervisor.reboot(guest_id),
    "insert": lambda hypervisor, guest_id: hypervisor.insert(guest_id, 0, None),
    "screen": lambda hypervisor, guest_id: hypervisor.screen(guest_id),
    "console": lambda hypervisor, guest_id: hypervisor.console(guest_id),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_who_is_not_defined_is_not_found(hypervisor: Hypervisor, call: Callable[[Hypervisor, str], Any]):
    """What is said of a guest that is not there is refused as not found."""
    guest_id = str(uuid4())
    assert hypervisor.get(guest_id) is None
    with pytest.raises(NotFoundError, match=guest_id):
        call(hypervisor, guest_id)


@pytest.mark.parametrize("name", ["reboot", "screen", "console"])
def test_who_does_not_run_shows_nothing(hypervisor: Hypervisor, name: str):
    """A stopped guest has no screen and no console, and does not reboot."""
    guest = new_guest(hypervisor)
    hypervisor.define(guest)
    with pytest.raises(WrongStateError, match="does not run"):
        CALLS[name](hypervisor, guest.id)


REFUSED = {
    "architecture": ({"architecture": "s390x"}, "s390x"),
    "firmware": ({"architecture": "i686", "firmware": "uefi"}, "uefi"),
}


@pytest.mark.parametrize(("changes", "named"), REFUSED.values(), ids=REFUSED)
def test_a_host_refuses_what_it_lacks(hypervisor: Hypervisor, changes: dict[str, Any], named: str):
    """A guest that the host cannot run is not defined; the refusal names what is lacking."""
    guest = new_guest(hypervisor, **changes)
    with pytest.raises(HypervisorError, match=named):
        hypervisor.define(guest)
    assert hypervisor.get(guest.id) is None


def test_there_are_so_many_drives(hypervisor: Hypervisor, new_image: Callable[[str], Path]):
    """A slot that no guest has is refused."""
    guest = new_guest(hypervisor)
    hypervisor.define(guest)
    with pytest.raises(HypervisorError, match="drive"):
        hypervisor.insert(guest.id, SLOTS, new_image("one"))


def test_a_running_guest_is_seen(hypervisor: Hypervisor):
    """A running guest has a screen, as PNG, and a console on the host's loopback."""
    guest = new_guest(hypervisor)
    hypervisor.define(guest)
    hypervisor.start(guest.id)
    screen = hypervisor.screen(guest.id)
    assert screen.png.startswith(b"\x89PNG\r\n")
    assert int.from_bytes(screen.png[16:20]) == screen.width > 0
    assert int.from_bytes(screen.png[20:24]) == screen.height > 0
    address, port = hypervisor.console(guest.id)
    assert address == "127.0.0.1"
    assert port > 0


def test_changes_are_told(hypervisor: Hypervisor):
    """Who watches is told of every guest that changes, and no more when it has ended."""
    told: Queue[Change] = Queue()
    end = hypervisor.watch(told.put)
    guest = new_guest(hypervisor)
    hypervisor.define(guest)
    hypervisor.start(guest.id)
    assert told.get(timeout=TELLING_SECONDS) == Change(guest.id)
    end()
    while not told.empty():
        told.get()
    hypervisor.stop(guest.id, force=True)
    other = new_guest(hypervisor)
    again = hypervisor.watch(told.put)
    hypervisor.define(other)
    hypervisor.remove(other.id)
    assert told.get(timeout=TELLING_SECONDS) == Change(other.id)
    again()
