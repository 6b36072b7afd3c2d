"""Guests as libvirt is told of them: https://libvirt.org/formatdomain.html.

Every format is written down, so that nothing a guest writes to its disk is ever taken for the format of another.
Drives, disks and network cards are of the kinds that installers of nearly every system see without more drivers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from msgspec import Struct

from isobay.hypervisor.interface import SLOTS, Firmware, Guest

NAMESPACE = "urn:isobay:domain:1"
OURS = f"{{{NAMESPACE}}}guest"
NAME_PREFIX = "isobay-"
register_namespace("isobay", NAMESPACE)


class Board(Struct, frozen=True):
    """What guests of one architecture are put together of. ``runs``: the architecture of the emulator."""

    architecture: str
    firmware: tuple[Firmware, ...]
    runs: str
    machine: str
    drive_bus: str
    disk_bus: str
    card: str
    video: str
    package: str


_PC = ("x86_64", "pc", "ide", "sata", "e1000", "vga", "qemu-system-x86")
_Q35 = ("x86_64", "q35", "sata", "sata", "e1000e", "vga", "qemu-system-x86")
# The first that the host has is taken. IDE drives are seen by every system since 1995 and by kernels for clouds,
# which lack SATA; some hosts have given up that board. There is no UEFI of 32 bits to be had.
BOARDS = (
    Board("x86_64", ("bios",), *_PC),
    Board("x86_64", ("bios", "uefi", "uefi-secure"), *_Q35),
    Board("i686", ("bios",), *_PC),
    Board("i686", ("bios",), *_Q35),
    Board("aarch64", ("uefi",), "aarch64", "virt", "scsi", "scsi", "virtio", "virtio", "qemu-system-arm"),
)


class Means(Struct, frozen=True):
    """What the host gives a guest: whether KVM runs it, its log, and its images' files there, by slot.

    ``labels``: its QEMU runs as an account of its own.
    """

    accelerated: bool
    labels: bool
    log: Path
    images: Mapping[int, str]


def domain_xml(guest: Guest, installation: str, board: Board, means: Means) -> str:
    """The whole guest."""
    domain = Element("domain", type="kvm" if means.accelerated else "qemu")
    _texts(domain, name=f"{NAME_PREFIX}{guest.id}", uuid=guest.id, title=" ".join(guest.name.split()))
    known = {"installation": installation, "instance": guest.id, "environment": guest.environment_id}
    SubElement(SubElement(domain, "metadata"), OURS, known, owner=guest.owner)
    SubElement(domain, "memory", unit="MiB").text = str(guest.memory_mb)
    _texts(domain, vcpu=str(guest.cpu_count))
    _firmware(domain, guest.firmware, board)
    SubElement(domain, "cpu", mode="maximum")
    SubElement(domain, "clock", offset="utc")
    _texts(domain, on_poweroff="destroy", on_reboot="destroy" if guest.stops_at_reboot else "restart")
    _texts(domain, on_crash="destroy")
    devices = SubElement(domain, "devices")
    if guest.disk:
        devices.append(_disk(guest.disk, board))
    for slot in range(SLOTS):
        devices.append(drive_element(slot, board.drive_bus, means.images.get(slot), labels=means.labels))
    _network(devices, guest, board)
    _console(devices, board, means.log)
    return tostring(domain, encoding="unicode")


# What the drives are called on IDE and elsewhere, in the order of their slots. Elsewhere the disk is the first.
_ON_IDE = ("hda", "hdb", "hdc", "hdd")
_ELSEWHERE = ("sdb", "sdc", "sdd", "sde")
TARGETS = (_ON_IDE, _ELSEWHERE)
_SLOT_OF = {target: slot for targets in TARGETS for slot, target in enumerate(targets)}


def drive_element(slot: int, bus: str, image: str | None, *, labels: bool) -> Element:
    """One CD-ROM drive, empty without an image.

    ``labels``: libvirt would give the image to QEMU's account, and may not: all guests share it with isobay.
    """
    drive = Element("disk", type="file", device="cdrom")
    SubElement(drive, "driver", name="qemu", type="raw")
    if image:
        source = SubElement(drive, "source", file=image)
        if labels:
            SubElement(source, "seclabel", model="dac", relabel="no")
    SubElement(drive, "target", dev=(_ON_IDE if bus == "ide" else _ELSEWHERE)[slot], bus=bus)
    SubElement(drive, "readonly")
    if slot == 0:
        SubElement(drive, "boot", order="2")
    return drive


def read_drives(domain: Element) -> dict[int, Element]:
    """The drives of a guest, by their slots: the other way round."""
    found = {}
    for drive in domain.iterfind("devices/disk[@device='cdrom']"):
        target = drive.find("target")
        name = "" if target is None else target.get("dev", "")
        if name in _SLOT_OF:
            found[_SLOT_OF[name]] = drive
    return found


def definition_of(running: Element) -> str:
    """What defines a guest that runs, with the files of its firmware that libvirt chose for it."""
    system = running.find("os")
    wish = None if system is None else system.find("firmware")
    if system is not None and wish is not None:
        system.attrib.pop("firmware", None)
        system.remove(wish)  # libvirt takes the files or the wish, not both
    return tostring(running, encoding="unicode")


def _disk(path: str, board: Board) -> Element:
    disk = Element("disk", type="file", device="disk")
    SubElement(disk, "driver", name="qemu", type="qcow2", discard="unmap")
    SubElement(disk, "source", file=path)
    SubElement(disk, "target", dev="sda", bus=board.disk_bus)
    SubElement(disk, "boot", order="1")
    return disk


def _firmware(domain: Element, firmware: Firmware, board: Board) -> None:
    system = SubElement(domain, "os")
    SubElement(system, "type", arch=board.runs, machine=board.machine).text = "hvm"
    features = SubElement(domain, "features")
    SubElement(features, "acpi")
    if board.runs == "x86_64":
        SubElement(features, "apic")
    if firmware == "bios":
        return
    system.set("firmware", "efi")
    secure = "yes" if firmware == "uefi-secure" else "no"
    wanted = SubElement(system, "firmware")
    SubElement(wanted, "feature", enabled=secure, name="secure-boot")
    SubElement(wanted, "feature", enabled=secure, name="enrolled-keys")


def _network(devices: Element, guest: Guest, board: Board) -> None:
    if guest.network == "none":
        return
    card = SubElement(devices, "interface", type="user" if guest.network == "user" else "network")
    if guest.network != "user":
        SubElement(card, "source", network=guest.network)
    SubElement(card, "mac", address=guest.mac)
    SubElement(card, "model", type=board.card)


def _console(devices: Element, board: Board, log: Path) -> None:
    serial = SubElement(devices, "serial", type="pty")
    SubElement(serial, "log", file=str(log), append="on")
    SubElement(devices, "graphics", type="vnc", port="-1", autoport="yes", listen="127.0.0.1")
    SubElement(SubElement(devices, "video"), "model", type=board.video)
    SubElement(devices, "controller", type="usb", model="qemu-xhci")
    SubElement(devices, "input", type="tablet", bus="usb")
    if board.runs != "x86_64":
        SubElement(devices, "input", type="keyboard", bus="usb")
    SubElement(SubElement(devices, "rng", model="virtio"), "backend", model="random").text = "/dev/urandom"


def _texts(parent: Element, **texts: str) -> None:
    for name, text in texts.items():
        SubElement(parent, name).text = text
