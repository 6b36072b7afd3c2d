"""Whether KVM runs guests: it may be advertised, and hang with the first of them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4
from xml.etree.ElementTree import Element, SubElement, tostring

import libvirt

from isobay.hypervisor.storage import Storage

PROOF_SECONDS = 10
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SECTOR = 512
# In 16 bits, after the firmware: write "sleep, type 0" (1 << 13) to the power management's control register, which
# is at port 0x604 of this board (ACPI 6.5 §4.8.3.2.1), and so switch the guest off; then wait for ever.
_SWITCH_OFF = bytes.fromhex("ba0406 b80020 ef f4 ebfd").ljust(_SECTOR - 2, b"\0") + b"\x55\xaa"


class Proof:
    """What is known of KVM on one host; a file keeps it for this boot of the machine and these versions."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @classmethod
    def of(cls, directory: Path, uri: str) -> Proof:
        """That of the host of a URI, in a file of its own."""
        return cls(directory / f"kvm-proof-{sha256(uri.encode()).hexdigest()[:16]}")

    def holds(self, opened: Any, storage: Storage) -> bool:
        """Whether a tiny guest runs under KVM; it is started where nobody knows yet, and takes up to ten seconds."""
        about = f"{_BOOT_ID.read_text().strip()} {opened.getURI()} {opened.getVersion()} {opened.getLibVersion()}"
        try:
            known, _, result = self._file.read_text().rpartition(" ")
        except FileNotFoundError:
            known = result = ""
        if known == about and result in ("runs", "hangs"):
            return result == "runs"
        runs = _runs(opened, storage)
        written = self._file.with_suffix(f".{uuid4()}")
        written.write_text(f"{about} {'runs' if runs else 'hangs'}")
        written.replace(self._file)
        return runs


def _runs(opened: Any, storage: Storage) -> bool:
    ended, details = Event(), []

    def told(_opened: Any, _domain: Any, event: int, detail: int, _opaque: Any) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            details.append(detail)
            ended.set()

    sector = storage.small(opened, "switch-off.img", _SWITCH_OFF)
    try:
        # It ends with this connection, however isobay does.
        flags = libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY
        domain = opened.createXML(_tiny(sector), flags)
    except libvirt.libvirtError:
        return False  # QEMU cannot even begin with it: there is no /dev/kvm for it, or no right to it
    watched = opened.domainEventRegisterAny(domain, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, told, None)
    try:
        domain.resume()
        ended.wait(PROOF_SECONDS)
    finally:
        opened.domainEventDeregisterAny(watched)
        if not ended.is_set():
            domain.destroy()
    return details == [libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN]


def _tiny(sector: str) -> str:
    domain = Element("domain", type="kvm")
    SubElement(domain, "name").text = f"isobay-proof-{uuid4()}"
    SubElement(domain, "memory", unit="MiB").text = "32"
    SubElement(domain, "vcpu").text = "1"
    SubElement(SubElement(domain, "os"), "type", arch="x86_64", machine="q35").text = "hvm"
    SubElement(SubElement(domain, "features"), "acpi")
    SubElement(domain, "cpu", mode="maximum")
    devices = SubElement(domain, "devices")
    disk = SubElement(devices, "disk", type="file", device="disk")
    SubElement(disk, "driver", name="qemu", type="raw")
    SubElement(disk, "source", file=sector)
    SubElement(disk, "target", dev="sda", bus="sata")
    SubElement(disk, "boot", order="1")
    return tostring(domain, encoding="unicode")
