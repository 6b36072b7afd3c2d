"""What holds of a libvirt alone: others use it too, it comes and goes, and its guests run as another account."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from new_guest import new_guest

from hypervisors import Libvirt, until
from isobay.errors import HypervisorError, IsobayError, NotFoundError, UnavailableError
from isobay.hypervisor import Change, Drive, Hypervisor
from isobay.hypervisor.opening import open_hypervisor

TELLING_SECONDS = 30
STRANGER_IDS = (12345, 12345)
STRANGER = (
    "<domain type='qemu'><name>{name}</name><uuid>{id}</uuid><metadata>{metadata}</metadata><memory>65536</memory>"
)
STRANGER += "<os><type arch='x86_64'>hvm</type></os></domain>"
MARK = "<i:guest xmlns:i='urn:isobay:domain:1' installation='{installation}' instance='{instance}'/>"


def test_what_virsh_changes_is_shown(real: Hypervisor, libvirt_server: Libvirt, new_image: Callable[[str], Path]):
    """Whatever somebody does by virsh to a guest of ours, it is shown as it is then."""
    guest = new_guest(real, new_image("one"))
    real.define(guest)
    one, domain = new_image("another"), guest.id
    libvirt_server.virsh("start", domain)
    assert real.all()[guest.id].power == "Running"
    libvirt_server.virsh("suspend", domain)
    assert real.all()[guest.id].power == "Error"
    # Its firmware closes no tray that virsh opens now.
    libvirt_server.virsh("change-media", domain, "hdb", str(one), "--insert", "--live", "--config", "--force")
    assert real.all()[guest.id].drives[1] == Drive(1, one)
    libvirt_server.virsh("change-media", domain, "hdb", "--eject", "--live", "--config", "--force")
    assert real.all()[guest.id].drives[1] == Drive(1, None)
    real.start(guest.id)
    assert real.all()[guest.id].power == "Running"
    libvirt_server.virsh("destroy", domain)
    assert real.all()[guest.id].power == "Stopped"
    libvirt_server.virsh("setmaxmem", domain, "96M", "--config")
    libvirt_server.virsh("setmem", domain, "64M", "--config")
    assert real.all()[guest.id].memory_mb == 64
    libvirt_server.virsh("undefine", domain)
    assert real.all() == {}
    real.remove(guest.id)
    assert not Path(guest.disk).exists()


@pytest.mark.parametrize("order", [["destroy"], ["undefine", "--keep-nvram"]], ids=["stopped", "undefined"])
def test_no_firmware_variables_are_left(real: Hypervisor, libvirt_server: Libvirt, order: list[str]):
    """Those of UEFI are kept in a file of libvirt's, which goes with the guest, whatever became of that."""
    variables = libvirt_server.directory / "lib" / "qemu" / "nvram"
    before = set(variables.glob("*"))
    guest = new_guest(real, firmware="uefi", disk="")
    real.define(guest)
    real.start(guest.id)
    assert len(set(variables.glob("*")) - before) == 1
    libvirt_server.virsh(order[0], guest.id, *order[1:])
    real.remove(guest.id)
    assert set(variables.glob("*")) == before
    assert real.get(guest.id) is None


@pytest.mark.parametrize("mark", ["", MARK, MARK.replace("{installation}", "other")], ids=["none", "copied", "other"])
def test_other_domains_are_left_alone(libvirt_server: Libvirt, data_dir: Path, tmp_path: Path, mark: str):
    """A domain without our mark, with that of another guest, or of another isobay is neither seen nor touched."""
    ours = open_hypervisor(libvirt_server.uri, "ours", data_dir)
    guest_id, copied = str(uuid4()), str(uuid4())
    instance = guest_id if "other" in mark else copied
    metadata = mark.format(installation="ours", instance=instance)
    description = tmp_path / "domain.xml"
    description.write_text(STRANGER.format(name=f"isobay-{guest_id}", id=guest_id, metadata=metadata))
    libvirt_server.virsh("define", str(description))
    assert ours.get(guest_id) is None
    assert guest_id not in ours.all()
    with pytest.raises(NotFoundError):
        ours.start(guest_id)
    guest = msgspec.structs.replace(new_guest(ours), id=guest_id)
    with pytest.raises(HypervisorError, match="not of this isobay"):
        ours.define(guest)
    ours.remove(guest_id)
    assert libvirt_server.domain(guest_id).findtext("memory") == "65536"
    libvirt_server.virsh("undefine", guest_id)


def test_files_of_others_are_no_left_disks(real: Hypervisor, libvirt_server: Libvirt, tmp_path: Path):
    """Beside guests' disks only what is called as isobay calls them counts, and not what somebody's domain has."""
    left, taken = str(uuid4()), str(uuid4())
    disk = Path(real.make_disk(left, 1))
    for name in (f"{taken}.qcow2", "system.qcow2", f"{uuid4()}.raw", f"old-{uuid4()}.qcow2"):
        shutil.copyfile(disk, disk.with_name(name))
    other = disk.with_name(f"{taken}.qcow2")
    element = f"<disk type='file'><source file='{other}'/><target dev='sda' bus='sata'/></disk>"
    domain = STRANGER.format(name="stranger", id=uuid4(), metadata="")
    description = tmp_path / "domain.xml"
    description.write_text(domain.replace("</domain>", f"<devices>{element}</devices></domain>"))
    libvirt_server.virsh("define", str(description))
    assert real.left_disks().keys() == {left}
    libvirt_server.virsh("undefine", "stranger")


def test_nothing_is_made_where_left_disks_are_searched(real: Hypervisor, data_dir: Path):
    """Where there never was a guest, none is looked for."""
    assert real.left_disks() == {}
    assert not (data_dir / "guests").exists()


def test_a_domain_says_whose_it_is(real: Hypervisor, libvirt_server: Libvirt, new_image: Callable[[str], Path]):
    """A domain names its instance, environment and owner; formats are fixed, images are read-only, VNC is local."""
    guest = new_guest(real, new_image("one"), name="a <name>\n& more", owner='"who"')
    real.define(guest)
    domain = libvirt_server.domain(guest.id)
    mark = domain.find("metadata/{urn:isobay:domain:1}guest")
    assert mark is not None
    assert [mark.get(name) for name in ("instance", "environment", "owner")] == [
        guest.id,
        guest.environment_id,
        '"who"',
    ]
    assert domain.findtext("title") == "a <name> & more"
    for disk in domain.iterfind("devices/disk"):
        is_drive = disk.get("device") == "cdrom"
        driver = disk.find("driver")
        assert driver is not None
        assert driver.get("type") == ("raw" if is_drive else "qcow2")
        assert (disk.find("readonly") is not None) == is_drive
    listeners = [listen.get("address") for listen in domain.iterfind("devices/graphics/listen")]
    assert listeners == ["127.0.0.1"]
    assert domain.find("devices/interface") is None


def test_a_guest_that_hangs_holds_up_no_other(real: Hypervisor, libvirt_server: Libvirt):
    """All guests are shown while the QEMU of one of them answers nothing, and is asked for nothing."""
    guests = [new_guest(real, network="user") for _ in range(2)]
    for guest in guests:
        real.define(guest)
    real.start(guests[0].id)
    assert len(real.all()) == 2
    qemu = f"run/qemu/isobay-{guests[0].id}"
    libvirt_server.order("SIGSTOP", qemu)
    with ThreadPoolExecutor(1) as threads:
        try:
            shown = threads.submit(real.all).result(TELLING_SECONDS)
        finally:
            libvirt_server.order("SIGCONT", qemu)
    assert [shown[guest.id].power for guest in guests] == ["Running", "Stopped"]
    for guest in guests:
        real.remove(guest.id)


def test_images_stay_isobays_own(real: Hypervisor, new_image: Callable[[str], Path]):
    """Whoever owns an image owns it while guests run with it, after it is taken out, and after they are gone."""
    images = [new_image("one"), new_image("another")]
    for each in images:
        os.chown(each, *STRANGER_IDS)

    def owners() -> set[tuple[int, int]]:
        return {(each.stat().st_uid, each.stat().st_gid) for each in images}

    guest = new_guest(real, images[0])
    real.define(guest)
    real.start(guest.id)
    real.insert(guest.id, 1, images[1])
    assert owners() == {STRANGER_IDS}
    real.insert(guest.id, 1, None)
    real.stop(guest.id, force=True)
    real.remove(guest.id)
    assert owners() == {STRANGER_IDS}


def test_a_tray_that_closed_unheard_is_opened(
    real: Hypervisor, libvirt_server: Libvirt, new_image: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    """An image goes into a drive that the firmware reset, which closed its tray, and libvirt did not hear of it.

    Into a tray that is open it goes without an order to QEMU, which taints a domain.
    """
    guest, one = new_guest(real), new_image("one")
    real.define(guest)
    ordered = []
    qemu = import_module("libvirt_qemu")  # of the extra libvirt
    tell = qemu.qemuMonitorCommand

    def told(*arguments: Any) -> Any:
        ordered.append(arguments)
        return tell(*arguments)

    monkeypatch.setattr(qemu, "qemuMonitorCommand", told)

    def asked(command: str, **arguments: object) -> Any:
        order = {"execute": command, "arguments": arguments}
        return json.loads(libvirt_server.virsh("qemu-monitor-command", guest.id, json.dumps(order)))["return"]

    def seems_open() -> bool:
        target = libvirt_server.domain(guest.id).find("devices/disk/target[@dev='hda']")
        return target is not None and target.get("tray") == "open"

    def is_open() -> bool:
        return any(drive.get("tray_open") for drive in asked("query-block"))

    libvirt_server.virsh("start", guest.id, "--paused")
    asked("blockdev-open-tray", id="ide0-0-0", force=True)
    until(seems_open, "libvirt hears of the open tray")
    real.insert(guest.id, 0, one)
    real.insert(guest.id, 0, None)
    assert not ordered
    asked("blockdev-open-tray", id="ide0-0-0", force=True)
    until(seems_open, "libvirt hears of it again")
    libvirt_server.virsh("resume", guest.id)
    until(lambda: not is_open(), "the firmware closes the tray")
    assert seems_open()
    real.insert(guest.id, 0, one)
    assert ordered
    assert real.all()[guest.id].drives[0] == Drive(0, one)


def test_guests_outlive_a_libvirt_that_dies(real: Hypervisor, libvirt_server: Libvirt):
    """A libvirt that is killed and started anew is reached by itself, with its guests, and tells of them again."""
    guest = new_guest(real)
    real.define(guest)
    real.start(guest.id)
    told: Queue[Change] = Queue()
    end = real.watch(told.put)
    libvirt_server.order("SIGKILL")
    try:
        with pytest.raises(UnavailableError, match="start libvirtd"):
            real.all()
    finally:
        libvirt_server.order("start")
    assert real.all()[guest.id].power == "Running"
    while not told.empty():
        told.get()

    def tells() -> bool:
        real.stop(guest.id, force=True)
        real.start(guest.id)
        return not told.empty()

    until(tells, "it is registered again, which takes a few seconds")
    assert told.get(timeout=TELLING_SECONDS) == Change(guest.id)
    end()


def test_a_libvirt_that_hangs_is_not_waited_for(
    real: Hypervisor, libvirt_server: Libvirt, data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    """A libvirt that takes connections and answers nothing is given up, whether or not it answered before."""
    monkeypatch.setattr("isobay.hypervisor.connection.OPEN_SECONDS", 1)
    monkeypatch.setattr("isobay.hypervisor.connection.KEEPALIVE_SECONDS", 1)
    monkeypatch.setattr("isobay.hypervisor.connection.KEEPALIVE_COUNT", 1)
    assert real.all() == {}
    libvirt_server.order("SIGSTOP")
    try:
        for hypervisor in (real, open_hypervisor(libvirt_server.uri, str(uuid4()), data_dir)):
            with pytest.raises(UnavailableError, match="does not answer"):
                hypervisor.all()
    finally:
        libvirt_server.order("SIGCONT")

    def answers() -> bool:
        try:
            return real.all() == {}
        except UnavailableError:
            return False  # who asks while it wakes is told so at once

    until(answers, "it is reached again")


def test_without_a_libvirt_the_advice_is_told(data_dir: Path, tmp_path: Path):
    """Where nobody listens, the refusal says what to install and what to start."""
    away = open_hypervisor(f"qemu+unix:///system?socket={tmp_path}/none", str(uuid4()), data_dir)
    with pytest.raises(UnavailableError, match="install libvirt-daemon-system") as caught:
        away.host()
    assert_kept(caught.value, str(tmp_path))


def test_without_its_library_the_advice_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where libvirt's Python library is not installed, everything is refused, with what to install."""
    monkeypatch.delitem(sys.modules, "isobay.hypervisor.libvirt", raising=False)
    monkeypatch.setitem(sys.modules, "libvirt", None)
    missing = open_hypervisor("qemu:///system", str(uuid4()), tmp_path)
    with pytest.raises(UnavailableError, match="uv sync --extra libvirt") as caught:
        missing.all()
    assert_kept(caught.value, "qemu:///system")


def test_networks_must_run(real: Hypervisor, libvirt_server: Libvirt):
    """A guest for a network that the host does not run is refused, with how to start it."""
    with pytest.raises(HypervisorError, match="virsh net-start default") as caught:
        real.define(new_guest(real, network="default"))
    assert_kept(caught.value, libvirt_server.uri)


def test_what_libvirt_says_is_the_operators(real: Hypervisor, libvirt_server: Libvirt):
    """Its refusals name files and the way to it: callers are told of none, and whom to ask."""
    guest = new_guest(real)
    real.define(guest)
    Path(guest.disk).unlink()
    with pytest.raises(HypervisorError, match=f"refuses: .*{guest.disk}") as caught:
        real.start(guest.id)
    assert_kept(caught.value, guest.disk)
    assert_kept(caught.value, libvirt_server.uri)
    real.remove(guest.id)


def test_a_proof_of_kvm_is_kept(real: Hypervisor, libvirt_server: Libvirt, data_dir: Path):
    """What was found out of KVM is believed until the host boots again, or QEMU is another."""
    first = real.host()
    proofs = list(data_dir.glob("kvm-proof-*"))
    if not proofs:
        assert not any(architecture.accelerated for architecture in first.architectures)
        return
    (proof,) = proofs
    about, _, result = proof.read_text().rpartition(" ")
    opposite = {"runs": "hangs", "hangs": "runs"}[result]

    def accelerates() -> bool:
        host = open_hypervisor(libvirt_server.uri, str(uuid4()), data_dir).host()
        return next(found.accelerated for found in host.architectures if found.name == "x86_64")

    proof.write_text(f"{about} {opposite}")
    assert accelerates() == (opposite == "runs")
    proof.write_text(f"of another boot {opposite}")
    assert accelerates() == (result == "runs")
    assert proof.read_text() == f"{about} {result}"


def test_each_host_has_its_own_proof_of_kvm(real: Hypervisor, libvirt_server: Libvirt, data_dir: Path):
    """What was found out of one is not believed of another, nor forgotten for it."""
    real.host()
    before = {proof: proof.read_text() for proof in data_dir.glob("kvm-proof-*")}
    open_hypervisor(f"{libvirt_server.uri}&mode=direct", str(uuid4()), data_dir).host()
    after = {proof: proof.read_text() for proof in data_dir.glob("kvm-proof-*")}
    assert before.items() <= after.items()
    assert len(after) == 2 * len(before)


def test_images_elsewhere_are_refused(data_dir: Path, tmp_path: Path, libvirt_server: Libvirt):
    """An image behind a directory that is closed to the account of guests is refused, with how to open it."""
    real = open_hypervisor(libvirt_server.uri, str(uuid4()), data_dir)
    closed = tmp_path / "closed.iso"
    closed.touch()
    for image, said in ((closed, r"sudo setfacl -m u:\d+:x /"), (data_dir / "none.iso", "No such file")):
        with pytest.raises(HypervisorError, match=said) as caught:
            real.define(new_guest(real, image))
        assert_kept(caught.value, "/")


def assert_kept(error: IsobayError, secret: str) -> None:
    """Assert that something of the host's is told to the operator, and to nobody else."""
    assert secret in error.message
    assert secret not in error.public
    assert error.public.endswith(".")
