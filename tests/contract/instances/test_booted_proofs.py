"""Boot proofs of real images on a real libvirt: what they show is told from what the firmware shows."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec import UNSET
from PIL import Image
from rack import Rack, built_on, logged

from hypervisors import Libvirt, until
from images import image, packaged, tool
from isobay.errors import NotFoundError
from isobay.hypervisor.opening import open_hypervisor
from isobay.hypervisor.public import REFUSED
from isobay.model import BootProof, Task
from servers import leave_out

SIGNED = {
    "BOOTX64.EFI": Path("/usr/lib/shim/shimx64.efi.signed"),
    "grubx64.efi": Path("/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed"),
}
UNSIGNED = {"BOOTX64.EFI": Path("/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi")}
FAT_BYTES = 8 << 20
PROOF_SECONDS = 400  # a proof ends by itself, and listens to each firmware before
HALT = b"\xfa\xf4\xeb\xfd"  # cli; hlt; and again: the firmware starts it, and nothing ever comes


def loader(path: Path, *, is_signed: bool) -> Path:
    """Make an image that boots Debian's GRUB by UEFI, which then shows its prompt; signed through Microsoft's shim."""
    files = SIGNED if is_signed else UNSIGNED
    if missing := [str(file) for file in files.values() if not file.exists()]:
        leave_out(f"{missing[0]} is missing: install Debian's shim-signed, grub-efi-amd64-signed, grub-efi-amd64-bin")
    system = path.with_suffix(".efi")
    system.write_bytes(bytes(FAT_BYTES))
    subprocess.run([tool("mformat"), "-i", str(system), "::"], check=True)
    subprocess.run([tool("mmd"), "-i", str(system), "::/EFI", "::/EFI/BOOT"], check=True)
    for name, file in files.items():
        subprocess.run([tool("mcopy"), "-i", str(system), str(file), f"::/EFI/BOOT/{name}"], check=True)
    boot = ("-eltorito-alt-boot", "-e", "efi.img", "-no-emul-boot")
    return image(path, {"efi.img": system.read_bytes()}, *boot)


@contextmanager
def proving(libvirt_server: Libvirt, seconds: str) -> Iterator[Rack]:
    """Build an isobay on libvirt, with a worker, which waits so long for something to be shown."""
    data_dir = libvirt_server.data_dir()
    host = open_hypervisor(libvirt_server.uri, str(uuid4()), data_dir)
    rack = built_on(host, data_dir, boot_proof_seconds=seconds)
    with rack.working():
        yield rack
    assert host.all() == {}
    rack.built.catalog.close()


@pytest.fixture(scope="module")
def proofs(libvirt_server: Libvirt) -> Iterator[Rack]:
    """Build an isobay for what shows something soon, or never."""
    with proving(libvirt_server, "6") as rack:
        yield rack


@pytest.fixture(scope="module")
def patient(libvirt_server: Libvirt) -> Iterator[Rack]:
    """Build one for firmware that verifies what it starts, on an emulated processor."""
    with proving(libvirt_server, "30") as rack:
        yield rack


def begun(rack: Rack, path: Path, modes: list[str]) -> Task:
    """Put an image on the shelf that is said to boot so; the task that boots it."""
    rack.shelve(path, path.name, boot_modes=modes)
    rack.built.proving.tend()
    with rack.built.catalog.reading() as tx:
        (task,) = rack.built.catalog.tasks.newest(tx, 10, pending=True)
    return task


def proved(rack: Rack, task: Task) -> list[BootProof]:
    """What came of it."""

    def has_ended() -> bool:
        with rack.built.catalog.reading() as tx:
            found = rack.built.catalog.tasks.get(tx, task.id)
        return bool(found and found.ended)

    until(has_ended, "the image is booted", PROOF_SECONDS)
    proof = rack.here.engine.get_iso(rack.here.place, task.subject).boot_proof
    assert proof is not UNSET
    return proof


def check_text(rack: Rack, iso_id: str) -> None:
    """The ISO's picture has something on a background, as a screen of text has."""
    png = rack.here.engine.iso_picture(rack.here.place, iso_id)
    with Image.open(BytesIO(png), formats=("PNG",)) as opened:
        picture = opened.convert("RGB")
    counted: list[tuple[int, Any]] = picture.getcolors(picture.width * picture.height) or []
    commonest, _ = max(counted)
    assert len(counted) > 1
    assert 0.003 < 1 - commonest / (picture.width * picture.height) < 0.7


@pytest.mark.parametrize("name", ["memtest86+x64", "ipxe"])
def test_a_packaged_image_shows_its_screen(proofs: Rack, name: str):
    """memtest86+ and iPXE boot by BIOS, and show what the firmware does not."""
    task = begun(proofs, packaged(name), ["bios"])
    (proof,) = proved(proofs, task)
    assert (proof.mode, proof.result, proof.message) == ("bios", "shown", "")
    check_text(proofs, task.subject)


def test_what_the_host_cannot_run_has_failed(proofs: Rack, libvirt_server: Libvirt):
    """Where libvirt cannot start the guest, as without the daemon that keeps guests' logs, the log says why."""
    task = begun(proofs, packaged("ipxe"), ["bios"])
    (before,) = proved(proofs, task)
    libvirt_server.order("SIGTERM", "virtlogd")
    try:
        with logged() as log:
            _, again = proofs.here.engine.prove_iso(proofs.here.place, task.subject)
            (proof,) = proved(proofs, again)
    finally:
        libvirt_server.order("start", "virtlogd")
    assert (before.result, proof.result) == ("shown", "failed")
    assert proof.message == REFUSED
    assert "virtlogd-sock" in log.getvalue()
    with pytest.raises(NotFoundError):
        proofs.here.engine.iso_picture(proofs.here.place, task.subject)


@pytest.mark.parametrize("is_signed", [True, False], ids=["signed", "unsigned"])
def test_secure_boot_shows_what_is_signed(patient: Rack, tmp_path: Path, is_signed: bool):
    """A loader with a signature that the firmware knows is shown with Secure Boot and without, another only without."""
    task = begun(patient, loader(tmp_path / "loader.iso", is_signed=is_signed), ["uefi"])
    expected = "shown" if is_signed else "nothing shown"
    assert [(each.mode, each.result) for each in proved(patient, task)] == [
        ("uefi", "shown"),
        ("uefi-secure", expected),
    ]


def test_what_hangs_shows_nothing(proofs: Rack, tmp_path: Path, libvirt_server: Libvirt):
    """An image whose boot sector halts shows nothing by BIOS, and by UEFI, which finds nothing on it.

    Meanwhile its guest has no network card, and no disk but the drives.
    """
    boot = ("-b", "halt.bin", "-no-emul-boot", "-boot-load-size", "4", "-c", "boot.cat")
    path = image(tmp_path / "hangs.iso", {"halt.bin": HALT.ljust(2048, b"\0")}, *boot)
    task = begun(proofs, path, ["bios", "uefi"])
    until(lambda: task.id in proofs.hypervisor.all(), "the guest runs")
    domain = libvirt_server.domain(task.id)
    assert domain.find("devices/interface") is None
    assert {disk.get("device") for disk in domain.iterfind("devices/disk")} == {"cdrom"}
    assert [(each.mode, each.result) for each in proved(proofs, task)] == [
        ("bios", "nothing shown"),
        ("uefi", "nothing shown"),
        ("uefi-secure", "nothing shown"),
    ]
    with pytest.raises(NotFoundError):
        proofs.here.engine.iso_picture(proofs.here.place, task.subject)
