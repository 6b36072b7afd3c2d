"""A host in memory: the twin of the real one for tests, and deterministic.

Its guests do as they are told at once, unless a test says otherwise; changes are told by the thread that makes them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import cast

import msgspec

from isobay.errors import HypervisorError, NotFoundError, UnavailableError, WrongStateError
from isobay.hypervisor.interface import SLOTS, Architecture, Change, Drive, Firmware, Guest, Host, Power, Screen, Seen

TWIN = Host(
    name="memory",
    architectures=(
        Architecture("x86_64", ("bios", "uefi", "uefi-secure"), accelerated=False),
        Architecture("i686", ("bios",), accelerated=False),
    ),
    networks=("default",),
)


class _Domain:
    """One guest: as it is defined, and as it runs, None where it does not."""

    def __init__(self, defined: Guest) -> None:
        self.defined = defined
        self.running: Guest | None = None
        self.stopped_itself = False
        self.obeys = True
        self.screen = _black()

    @property
    def shown(self) -> Guest:
        return self.running or self.defined


class MemoryHypervisor:
    """The twin. See ``Hypervisor``; what follows ``watch`` is for tests.

    ``vnc_port``: where a test listens as if it were every guest's VNC server.
    """

    def __init__(self, host: Host = TWIN, vnc_port: int = 5900) -> None:
        self._host = host
        self._vnc_port = vnc_port
        self._domains: dict[str, _Domain] = {}
        self._disks: dict[str, int] = {}
        self._told: list[Callable[[Change], None]] = []
        self._away = False
        self._lock = RLock()

    def host(self) -> Host:
        """What the host can do."""
        with self._answering():
            return self._host

    def make_disk(self, guest_id: str, size_gb: int) -> str:
        """Make the guest's disk. See ``Hypervisor.make_disk``."""
        with self._answering():
            self._disks.setdefault(f"{guest_id}.qcow2", size_gb)
            return f"{guest_id}.qcow2"

    def define(self, guest: Guest) -> None:
        """Define the guest. See ``Hypervisor.define``."""
        with self._answering():
            self._check(guest)
            self._domains.setdefault(guest.id, _Domain(guest)).defined = guest
        self._tell(guest.id)

    def start(self, guest_id: str) -> None:
        """Start it; nothing where it runs."""
        with self._answering():
            domain = self._domain(guest_id)
            if domain.shown.disk and domain.shown.disk not in self._disks:
                raise HypervisorError(f"There is no disk {domain.shown.disk} on the host in memory.")
            domain.running = domain.running or domain.defined
            domain.stopped_itself = False
        self._tell(guest_id)

    def stop(self, guest_id: str, *, force: bool) -> None:
        """Stop it. See ``Hypervisor.stop``."""
        with self._answering():
            domain = self._domain(guest_id)
            if domain.running and (force or domain.obeys):
                self._end(domain, by_itself=not force)
        self._tell(guest_id)

    def reboot(self, guest_id: str) -> None:
        """Reboot it. Raises WrongStateError where it does not run."""
        with self._answering():
            self._running(guest_id)
        self.reboot_itself(guest_id)

    def insert(self, guest_id: str, slot: int, image: Path | None) -> None:
        """Change the image in a drive. See ``Hypervisor.insert``."""
        with self._answering():
            domain = self._domain(guest_id)
            domain.running = domain.running and _inserted(domain.running, slot, image)
            domain.defined = _inserted(domain.defined, slot, image)
        self._tell(guest_id)

    def remove(self, guest_id: str, *, keep_disk: bool = False) -> None:
        """Take the guest away. See ``Hypervisor.remove``."""
        with self._answering():
            self._domains.pop(guest_id, None)
            if not keep_disk:
                self._disks.pop(f"{guest_id}.qcow2", None)
        self._tell(guest_id)

    def left_disks(self) -> dict[str, int]:
        """The disks that no guest has."""
        with self._answering():
            used = {guest.disk for each in self._domains.values() for guest in (each.defined, each.running) if guest}
            return {name.removesuffix(".qcow2"): size << 30 for name, size in self._disks.items() if name not in used}

    def sweep(self) -> int:
        """No image is ever copied."""
        with self._answering():
            return 0

    def get(self, guest_id: str) -> Seen | None:
        """One guest; None where it is not defined."""
        return self.all().get(guest_id)

    def drives_at_start(self, guest_id: str) -> tuple[Drive, ...]:
        """What its drives hold when it starts next."""
        with self._answering():
            domain = self._domain(guest_id)
            return _drives(domain.defined)

    def all(self) -> dict[str, Seen]:
        """All guests, by id."""
        with self._answering():
            return {guest_id: _seen(domain) for guest_id, domain in self._domains.items()}

    def screen(self, guest_id: str) -> Screen:
        """What a test let it show, black at first."""
        with self._answering():
            return self._running(guest_id).screen

    def console(self, guest_id: str) -> tuple[str, int]:
        """Where a test listens."""
        with self._answering():
            self._running(guest_id)
            return "127.0.0.1", self._vnc_port

    def watch(self, told: Callable[[Change], None]) -> Callable[[], None]:
        """Call ``told`` when a guest changes."""
        self._told.append(told)
        return lambda: self._told.remove(told)

    def shut_down_itself(self, guest_id: str) -> None:
        """The guest's own system shuts down."""
        with self._lock:
            self._end(self._running(guest_id), by_itself=True)
        self._tell(guest_id)

    def reboot_itself(self, guest_id: str) -> None:
        """The guest's own system reboots."""
        with self._lock:
            domain = self._running(guest_id)
            if cast("Guest", domain.running).stops_at_reboot:
                self._end(domain, by_itself=True)
        self._tell(guest_id)

    def disobey(self, guest_id: str) -> None:
        """The guest's system does not care for its power button from now on."""
        with self._lock:
            self._domain(guest_id).obeys = False

    def show(self, guest_id: str, screen: Screen) -> None:
        """The guest shows this from now on."""
        with self._lock:
            self._domain(guest_id).screen = screen

    def forget(self, guest_id: str) -> None:
        """Somebody undefines the guest behind isobay's back, and leaves its disk."""
        with self._lock:
            del self._domains[guest_id]
        self._tell(guest_id)

    def disks(self) -> dict[str, int]:
        """The disks that are there, by what they are called, with their sizes in GiB."""
        with self._lock:
            return dict(self._disks)

    def defined(self, guest_id: str) -> Guest:
        """The guest as it starts next time."""
        with self._lock:
            return self._domain(guest_id).defined

    @contextmanager
    def away(self) -> Iterator[None]:
        """The host does not answer during the block; its guests go on."""
        self._away = True
        try:
            yield
        finally:
            self._away = False

    @contextmanager
    def _answering(self) -> Iterator[None]:
        if self._away:
            raise UnavailableError("The host in memory does not answer. Wait until the test lets it.")
        with self._lock:
            yield

    def _tell(self, guest_id: str) -> None:
        for told in list(self._told):
            told(Change(guest_id))

    def _check(self, guest: Guest) -> None:
        found = {architecture.name: architecture for architecture in self._host.architectures}
        firmware: tuple[Firmware, ...] = found[guest.architecture].firmware if guest.architecture in found else ()
        if guest.firmware not in firmware:
            raise HypervisorError(f"The host in memory does not run {guest.architecture} with {guest.firmware}.")
        if guest.network == "default" and "default" not in self._host.networks:
            raise HypervisorError("The host in memory has no network default.")

    def _domain(self, guest_id: str) -> _Domain:
        if guest_id not in self._domains:
            raise NotFoundError.of("instances", guest_id)
        return self._domains[guest_id]

    def _running(self, guest_id: str) -> _Domain:
        domain = self._domain(guest_id)
        if not domain.running:
            raise WrongStateError(
                f"The instance {guest_id} does not run. Start it first.", type="instances", id=guest_id
            )
        return domain

    def _end(self, domain: _Domain, *, by_itself: bool) -> None:
        domain.running = None
        domain.stopped_itself = by_itself


def _inserted(guest: Guest, slot: int, image: Path | None) -> Guest:
    if not 0 <= slot < SLOTS:
        raise HypervisorError(f"There is no drive {slot}: an instance has {SLOTS}, from 0 on.")
    others = tuple(drive for drive in guest.drives if drive.slot != slot)
    return msgspec.structs.replace(guest, drives=(*others, Drive(slot, image)))


def _seen(domain: _Domain) -> Seen:
    guest = domain.shown
    power: Power = "Running" if domain.running else "Stopped"
    return Seen(
        id=guest.id,
        power=power,
        cpu_count=guest.cpu_count,
        memory_mb=guest.memory_mb,
        drives=_drives(guest),
        stopped_itself=domain.stopped_itself,
    )


def _drives(guest: Guest) -> tuple[Drive, ...]:
    images = {drive.slot: drive.image for drive in guest.drives}
    return tuple(Drive(slot, images.get(slot)) for slot in range(SLOTS))


def _black(width: int = 640, height: int = 480) -> Screen:
    """A black screen, as PNG (ISO/IEC 15948): one bit of grey a pixel."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(height * (1 + width // 8)))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return Screen(png, width, height)
