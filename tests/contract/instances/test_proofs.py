"""Boot proofs as they go on a host in memory, whose guests show what the tests let them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec import UNSET
from rack import PATIENCE_SECONDS, Rack, built_on, until

from drawn import FIRMWARE, SIZE, text
from isobay.app import build
from isobay.errors import ConflictError, ForbiddenError, NotFoundError, WrongStateError
from isobay.hypervisor import Change, Guest, Screen, Seen
from isobay.hypervisor.memory import TWIN, MemoryHypervisor
from isobay.model import Iso, Task
from isobay.settings import Settings
from service import environment

if TYPE_CHECKING:
    from s3_server import S3Server

NOTHING = text(*FIRMWARE)
LOADER = text(*FIRMWARE[:2], *["The boot loader of a system says what it does."] * 3)
QUICK = {"boot_proof_seconds": "1"}


class Guests:
    """The guests of a host: what they show, and how often one of them ran with an empty tray."""

    def __init__(self, host: MemoryHypervisor) -> None:
        self.shown = LOADER
        self.empty = 0
        self.then: Callable[[str], None] = lambda _guest_id: None
        self._host = host
        host.watch(self._told)

    def _told(self, change: Change) -> None:
        seen = self._host.get(change.id)
        if seen is None or seen.power != "Running":
            return
        image = next(drive.image for drive in seen.drives if drive.slot == 0)
        self.empty += image is None
        self._host.show(change.id, Screen(self.shown if image else NOTHING, *SIZE))
        if image:
            self.then(change.id)


@pytest.fixture
def guests(twin: MemoryHypervisor) -> Guests:
    """Let the guests of the host show a boot loader."""
    return Guests(twin)


@pytest.fixture
def unattended(twin: MemoryHypervisor, tmp_path: Path) -> Iterator[Rack]:
    """Build an isobay whose proofs are quick, where nobody works."""
    rack = built_on(twin, tmp_path / "data", **QUICK)
    yield rack
    rack.built.catalog.close()


@contextmanager
def working(rack: Rack) -> Iterator[None]:
    """Run a worker until the end of the block, which may be done again."""
    stop = Event()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(rack.built.runner.run, stop)
        try:
            yield
        finally:
            stop.set()
        running.result(PATIENCE_SECONDS)


def now(rack: Rack, iso: Iso) -> Iso:
    """The ISO as it is now."""
    return rack.here.engine.get_iso(rack.here.place, iso.id)


def pending(rack: Rack) -> list[Task]:
    """The proofs that wait or are worked on."""
    with rack.built.catalog.reading() as tx:
        return rack.built.catalog.tasks.newest(tx, 100, pending=True)


def begun(rack: Rack) -> Task:
    """The one proof that isobay begins by itself."""
    rack.built.proving.tend()
    (task,) = pending(rack)
    return task


def results(iso: Iso) -> list[tuple[str, str]]:
    """What came of each mode."""
    return [] if iso.boot_proof is UNSET else [(proof.mode, proof.result) for proof in iso.boot_proof]


def test_what_becomes_ready_is_booted(rack: Rack, guests: Guests, twin: MemoryHypervisor, bootable: Path, data: Path):
    """A bootable ISO is booted by each of its modes in a small guest without a disk, and its last screen is kept."""
    seen: list[Seen | None] = []
    guests.then = lambda guest_id: seen.append(twin.get(guest_id))
    rack.shelve(data, "data")
    iso = rack.shelve(bootable, "bootable")
    assert now(rack, iso).boot_proof is UNSET
    task = rack.done(begun(rack))
    assert (task.kind, task.subject, task.environment_id) == ("iso.prove", iso.id, rack.here.place.environment_id)
    after = now(rack, iso)
    assert results(after) == [("bios", "shown"), ("uefi", "shown"), ("uefi-secure", "shown")]
    assert after.updated == iso.updated, "nobody changed it"
    assert (task.result or {})["bootProof"] == msgspec.to_builtins(after.boot_proof)
    assert rack.here.engine.iso_picture(rack.here.place, iso.id).startswith(b"\x89PNG")
    assert twin.all() == twin.disks() == {}
    assert {(guest.id, guest.cpu_count, guest.memory_mb) for guest in seen if guest} == {(task.id, 1, 1024)}
    rack.built.proving.tend()
    assert not pending(rack), "an ISO that does not boot waits for nothing"


def test_one_is_booted_at_a_time(rack: Rack, guests: Guests, bootable: Path):
    """While a proof goes on no other is begun by itself; the firmware is listened to once, for all ISOs."""
    for name in ("first", "second"):
        rack.shelve(bootable, name)
    goes_on = Event()
    guests.then = lambda _guest_id: goes_on.wait()
    first = begun(rack)
    rack.built.proving.tend()
    assert [task.id for task in pending(rack)] == [first.id]
    goes_on.set()
    rack.done(first)
    rack.done(begun(rack))
    assert guests.empty == 3


def test_the_oldest_is_booted_first(rack: Rack, guests: Guests, bootable: Path):
    """ISOs that wait are booted in the order in which they came."""
    isos = [rack.shelve(bootable, f"iso {number}").id for number in range(5)]
    assert [rack.done(begun(rack)).subject for _ in isos] == isos
    assert guests.empty == 3


def test_nothing_shown_is_no_picture(rack: Rack, guests: Guests, bootable: Path):
    """An ISO that shows what the firmware shows is told to show nothing; asked for again, its picture goes too."""
    iso = rack.shelve(bootable, "bootable")
    rack.done(begun(rack))
    guests.shown = NOTHING
    _, task = rack.here.engine.prove_iso(rack.here.place, iso.id)
    rack.done(task)
    after = now(rack, iso)
    assert {result for _, result in results(after)} == {"nothing shown"}
    assert after.boot_proof is not UNSET
    assert "firmware" in after.boot_proof[0].message
    with pytest.raises(NotFoundError, match="bootProof"):
        rack.here.engine.iso_picture(rack.here.place, iso.id)


def test_a_guest_that_ends_is_told(rack: Rack, guests: Guests, twin: MemoryHypervisor, bootable: Path):
    """A guest that switches itself off before it shows anything is said to have done so."""
    guests.shown = text(*FIRMWARE[:2])
    guests.then = lambda guest_id: Thread(target=twin.shut_down_itself, args=(guest_id,)).start()
    iso = rack.shelve(bootable, "bootable")
    rack.done(begun(rack))
    proof = now(rack, iso).boot_proof
    assert proof is not UNSET
    assert {(each.result, each.message.partition(",")[0]) for each in proof} == {
        ("nothing shown", "It switched itself off")
    }


def test_what_the_host_cannot_boot_is_not_tried(tmp_path: Path, bootable: Path):
    """Where the host has no such firmware, or no emulator, a mode is not tried, which is said."""
    (whole, _) = TWIN.architectures
    plain = msgspec.structs.replace(TWIN, architectures=(msgspec.structs.replace(whole, firmware=("bios",)),))
    host = MemoryHypervisor(plain)
    Guests(host)
    rack = built_on(host, tmp_path / "data", **QUICK)
    with rack.working():
        here = rack.shelve(bootable, "bootable")
        rack.done(begun(rack))
        other = rack.shelve(bootable, "other", architecture="riscv64", boot_modes=["uefi", "ppc"])
        rack.done(begun(rack))
    assert results(now(rack, here)) == [("bios", "shown"), ("uefi", "not tried")]
    assert results(now(rack, other)) == [("uefi", "not tried"), ("ppc", "not tried")]
    proof = now(rack, other).boot_proof
    assert proof is not UNSET
    assert "riscv64" in proof[0].message
    rack.built.catalog.close()


def test_what_is_in_s3_is_not_tried(s3: S3Server, tmp_path: Path, bootable: Path):
    """Guests need files: an image in S3 is not booted, and who asks for it is told so, but not where it lies."""
    host = MemoryHypervisor()
    Guests(host)
    built = build(Settings.load(s3.options(), data_dir=tmp_path / "data", **QUICK), connect=lambda _uri: host)
    rack = Rack(built, host)
    iso = rack.shelve(bootable, "bootable", boot_modes=["bios"])
    with rack.working():
        rack.done(begun(rack))
    proof = now(rack, iso).boot_proof
    assert proof is not UNSET
    assert [(each.result, "s3://" in each.message) for each in proof] == [("not tried", False)]
    assert "no instances here" in proof[0].message
    built.catalog.close()


@pytest.mark.parametrize("options", [{"boot_proof": "off"}, {"libvirt": "off"}], ids=["off", "no host"])
def test_nothing_begins_by_itself_where_it_may_not(tmp_path: Path, bootable: Path, options: dict[str, str]):
    """With boot proofs off, or without a host, nothing is begun; who asks for one is told why not."""
    rack = built_on(MemoryHypervisor(), tmp_path / "data", **QUICK, **options)
    iso = rack.shelve(bootable, "bootable")
    rack.built.proving.tend()
    assert not pending(rack)
    if options == {"boot_proof": "off"}:
        with pytest.raises(WrongStateError, match="ISOBAY_BOOT_PROOF"):
            rack.here.engine.prove_iso(rack.here.place, iso.id)
    else:
        with rack.working():
            assert "ISOBAY_LIBVIRT" in rack.ended(rack.here.engine.prove_iso(rack.here.place, iso.id)[1]).message
    rack.built.catalog.close()


def test_a_host_that_is_away_is_waited_for(unattended: Rack, guests: Guests, twin: MemoryHypervisor, bootable: Path):
    """Nothing is begun while no host answers; a proof that its host leaves gets another turn when it is back."""
    iso = unattended.shelve(bootable, "bootable")
    with twin.away():
        unattended.built.proving.tend()
        assert not pending(unattended)
    task = begun(unattended)
    with twin.away(), working(unattended):
        assert unattended.ended(task).status == "FAILED"
    assert guests.empty == 0
    with working(unattended):
        unattended.done(begun(unattended))
    assert results(now(unattended, iso))[0] == ("bios", "shown")


def test_a_stopped_worker_leaves_no_guest(unattended: Rack, guests: Guests, twin: MemoryHypervisor, bootable: Path):
    """A worker that is told to end takes its guest away, and the next one does the proof from its beginning."""
    guests.shown = NOTHING
    iso = unattended.shelve(bootable, "bootable")
    task = begun(unattended)
    runs = Event()
    guests.then = lambda _guest_id: runs.set()
    with working(unattended):
        assert runs.wait(30)
    assert twin.all() == {}
    assert [each.id for each in pending(unattended)] == [task.id]
    guests.shown = LOADER
    with working(unattended):
        unattended.done(task)
    assert {result for _, result in results(now(unattended, iso))} == {"shown"}


@pytest.mark.usefixtures("guests")
def test_what_a_dead_worker_left_is_used_up(unattended: Rack, twin: MemoryHypervisor, bootable: Path):
    """A guest that a worker left when it died stays while its proof is pending, and is replaced by the next worker's.

    When nobody's proof needs it any more, it is taken away.
    """
    iso = unattended.shelve(bootable, "bootable")
    task = begun(unattended)
    left = Guest(
        id=task.id,
        name="left",
        environment_id="",
        owner="",
        cpu_count=1,
        memory_mb=64,
        architecture="x86_64",
        firmware="bios",
        disk="",
        drives=(),
        network="none",
        mac="",
    )
    twin.define(left)
    unattended.built.watching.tend()
    assert set(twin.all()) == {task.id}
    with working(unattended):
        unattended.done(task)
    assert twin.all() == {}
    assert results(now(unattended, iso))[0] == ("bios", "shown")
    twin.define(left)
    unattended.built.watching.tend()
    assert twin.all() == {}


def test_an_iso_can_be_deleted_while_it_is_booted(rack: Rack, guests: Guests, twin: MemoryHypervisor, bootable: Path):
    """Deleting an ISO ends its proof, and its guest."""
    guests.shown = NOTHING
    runs = Event()
    guests.then = lambda _guest_id: runs.set()
    iso = rack.shelve(bootable, "bootable")
    task = begun(rack)
    assert runs.wait(30)
    rack.here.engine.delete_iso(rack.here.place, rack.here.identity, iso.id)
    assert rack.ended(task).status == "FAILED"
    until(lambda: not twin.all(), "the guest is gone")


def test_what_cannot_be_booted_is_refused(unattended: Rack, bootable: Path, data: Path):
    """Only what is ready, boots, and belongs to the environment is booted, and once at a time."""
    here, engine = unattended.here, unattended.here.engine
    iso, plain = unattended.shelve(bootable, "bootable"), unattended.shelve(data, "data")
    with pytest.raises(WrongStateError, match="does not boot"):
        engine.prove_iso(here.place, plain.id)
    with pytest.raises(NotFoundError):
        engine.prove_iso(unattended.beside.place, iso.id)
    unattended.publish(iso)
    with pytest.raises(ForbiddenError, match="another environment"):
        engine.prove_iso(unattended.beside.place, iso.id)
    engine.prove_iso(here.place, iso.id)
    with pytest.raises(ConflictError, match="already"):
        engine.prove_iso(here.place, iso.id)


def test_equal_images_have_pictures_of_their_own(rack: Rack, guests: Guests, bootable: Path):
    """Who has the same image learns nothing of another environment's proof."""
    mine = rack.shelve(bootable, "mine")
    theirs = rack.shelve(bootable, "theirs", visit=rack.beside)
    task = begun(rack)
    rack.done(task)
    first, second = (mine, theirs) if task.subject == mine.id else (theirs, mine)
    places = {mine.id: rack.here.place, theirs.id: rack.beside.place}
    engine = rack.here.engine
    assert engine.iso_picture(places[first.id], first.id)
    assert engine.get_iso(places[second.id], second.id).boot_proof is UNSET
    with pytest.raises(NotFoundError):
        engine.iso_picture(places[second.id], second.id)
    assert guests.empty == 3


def test_a_worker_says_that_no_host_answers(unattended: Rack, bootable: Path, tmp_path: Path):
    """With boot proofs on, a worker looks for what waits, and complains once where no host answers."""
    unattended.shelve(bootable, "bootable")
    options = environment(ISOBAY_BOOT_PROOF="on", ISOBAY_LIBVIRT="off")
    command = [sys.executable, "-m", "isobay", "worker", "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(command, env=options, stderr=subprocess.PIPE, text=True) as worker:
        patience = Timer(PATIENCE_SECONDS, worker.kill)
        patience.start()
        try:
            assert worker.stderr
            assert any("no host answers" in line for line in worker.stderr)
        finally:
            patience.cancel()
            worker.terminate()
