"""Guests that boot on a real libvirt, and say on their serial lines what they see."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from new_guest import new_guest

from guests import FIRST_LINE, guest_image
from hypervisors import Libvirt, says, until
from isobay.hypervisor import Hypervisor

MEMORY_MB = 256


@pytest.fixture
def bootable(guest_iso: Path, data_dir: Path) -> Path:
    """The guest's image, where isobay keeps images: nobody but its account may read it."""
    path = data_dir / "objects" / "guest.iso"
    path.parent.mkdir(mode=0o750)
    shutil.copyfile(guest_iso, path)
    path.chmod(0o640)
    return path


@pytest.fixture
def log(data_dir: Path) -> Callable[[str], Path]:
    """Where what a guest says on its serial line is written."""
    return lambda guest_id: data_dir / "guests" / f"{guest_id}.log"


def power(hypervisor: Hypervisor, guest_id: str) -> str:
    """Whether it runs."""
    seen = hypervisor.get(guest_id)
    return seen.power if seen else "gone"


def test_a_guest_sees_its_images_come_and_go(
    real: Hypervisor, bootable: Path, new_image: Callable[[str], Path], log: Callable[[str], Path]
):
    """A guest boots past its empty disk by BIOS, reads an image put in live, misses it again, and heeds its button."""
    guest = new_guest(real, bootable, memory_mb=MEMORY_MB)
    real.define(guest)
    real.start(guest.id)
    says(log(guest.id), FIRST_LINE)
    says(log(guest.id), "sr1 is empty")
    before = bootable.stat()
    real.insert(guest.id, 1, new_image("drivers.txt"))
    says(log(guest.id), "sr1 has drivers.txt")
    real.insert(guest.id, 1, None)
    says(log(guest.id), "sr1 is empty", times=2)
    real.stop(guest.id, force=False)
    until(lambda: power(real, guest.id) == "Stopped", "the guest stops")
    says(log(guest.id), "guest switches off")
    seen = real.get(guest.id)
    assert seen
    assert seen.stopped_itself
    after = bootable.stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid), "the image is isobay's own still"


def test_a_reboot_stops_who_waits_for_it(real: Hypervisor, data_dir: Path, log: Callable[[str], Path]):
    """The first reboot stops a guest that is to stop there; with its tray emptied it has nothing left to boot from."""
    guest = new_guest(real, guest_image(data_dir / "reboots.iso", "reboot"), memory_mb=MEMORY_MB, stops_at_reboot=True)
    real.define(guest)
    real.start(guest.id)
    says(log(guest.id), "guest reboots")
    until(lambda: power(real, guest.id) == "Stopped", "the reboot stops the guest")
    seen = real.get(guest.id)
    assert seen
    assert seen.stopped_itself
    real.insert(guest.id, 0, None)
    real.start(guest.id)
    assert power(real, guest.id) == "Running"
    assert log(guest.id).read_text(errors="replace").count(FIRST_LINE) == 1


def test_guests_boot_by_uefi(real: Hypervisor, bootable: Path, libvirt_server: Libvirt, log: Callable[[str], Path]):
    """UEFI boots past the empty disk; with Secure Boot it refuses a loader that nobody signed; both keep variables."""
    plain = new_guest(real, bootable, memory_mb=MEMORY_MB, firmware="uefi")
    secure = new_guest(real, bootable, memory_mb=MEMORY_MB, firmware="uefi-secure")
    variables = libvirt_server.directory / "lib/qemu/nvram"
    for guest in (plain, secure):
        real.define(guest)
        real.start(guest.id)
        assert list(variables.glob(f"*{guest.id}*"))
    says(log(plain.id), FIRST_LINE)
    says(log(secure.id), "Security Violation")
    assert FIRST_LINE not in log(secure.id).read_text(errors="replace")
    for guest in (plain, secure):
        real.remove(guest.id)
        assert not list(variables.glob(f"*{guest.id}*"))
