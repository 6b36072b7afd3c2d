"""The seam: a host that runs guests.

A guest's id is a uuid4 of ours, and its domain's UUID. Every method touches the domains that carry our metadata
and that id, and no others: a domain of somebody else with the same UUID is answered for as if it were not there.
Whose they are is told by the id of the installation, which a hypervisor is made with: two of them may use one host.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

Firmware = Literal["bios", "uefi", "uefi-secure"]
Network = Literal["none", "user", "default"]
Power = Literal["Running", "Stopped", "Starting", "Stopping", "Error"]
SLOTS = 4


class Architecture(Struct, frozen=True):
    """What the host can run of one architecture, named as libosinfo names it: x86_64, aarch64, …

    ``accelerated``: by KVM, which a tiny guest has shown to run; otherwise it is emulated.
    """

    name: str
    firmware: tuple[Firmware, ...]
    accelerated: bool


class Host(Struct, frozen=True):
    """What a host has: its hypervisor with its version, its architectures, and the libvirt networks that run."""

    name: str
    architectures: tuple[Architecture, ...]
    networks: tuple[str, ...]


class Drive(Struct, frozen=True):
    """A CD-ROM drive: its slot from 0 on, and the image in it, None where the tray is empty."""

    slot: int
    image: Path | None


class Guest(Struct, frozen=True, kw_only=True):
    """A guest to define. ``disk`` is what ``make_disk`` answered, or empty for a guest without one.

    It boots from its disk, and from the image in slot 0 while nothing on the disk boots.
    ``stops_at_reboot``: its first reboot stops it, so that the tray can be emptied before it goes on.
    """

    id: str
    name: str
    environment_id: str
    owner: str
    cpu_count: int
    memory_mb: int
    architecture: str
    firmware: Firmware
    disk: str
    drives: tuple[Drive, ...]
    network: Network
    mac: str
    stops_at_reboot: bool = False


class Seen(Struct, frozen=True):
    """A guest as it is now, whoever made it so; it has all its drives. ``ip`` is empty where nobody knows it.

    ``stopped_itself``: its own system stopped it, by a shutdown, with or without a press on its power button, or by
    the reboot that ``stops_at_reboot`` waits for; libvirt does not tell these apart. False where its plug was pulled,
    and where nobody knows any more, as after a restart of the host.
    """

    id: str
    power: Power
    cpu_count: int
    memory_mb: int
    drives: tuple[Drive, ...]
    ip: str = ""
    stopped_itself: bool = False


class Screen(Struct, frozen=True):
    """What a guest shows: a PNG, and its width and height in pixels."""

    png: bytes
    width: int
    height: int


class Change(Struct, frozen=True):
    """Something happened to a guest: look at it again."""

    id: str


class Hypervisor(Protocol):
    """A host that runs guests.

    Every method raises UnavailableError where the host does not answer, with what to do about it, and
    HypervisorError where it answers that it cannot. What is said of one guest raises NotFoundError where it is
    not defined, if nothing else is said. All may be called by any thread, and called again after whatever death.
    """

    def host(self) -> Host:
        """What the host can do. The first call may take seconds: it proves KVM."""

    def make_disk(self, guest_id: str, size_gb: int) -> str:
        """Make the guest's empty qcow2 disk, if it is not there; what it is to be called by in ``Guest.disk``."""

    def define(self, guest: Guest) -> None:
        """Define the guest, or define it anew, running or not; what runs now takes it up at its next start.

        Raises HypervisorError where the host lacks the emulator, the firmware or the network.
        """

    def start(self, guest_id: str) -> None:
        """Start it; nothing where it runs."""

    def stop(self, guest_id: str, *, force: bool) -> None:
        """Press its power button, and come back at once, or pull its plug; nothing where it is stopped."""

    def reboot(self, guest_id: str) -> None:
        """Ask its system to reboot, or press reset where that cannot be asked.

        Raises WrongStateError where it does not run.
        """

    def insert(self, guest_id: str, slot: int, image: Path | None) -> None:
        """Change the image in a drive, now and for later starts; None empties the tray, by force if it is locked."""

    def remove(self, guest_id: str, *, keep_disk: bool = False) -> None:
        """Take the guest away: its plug, its definition, its firmware's variables and its disk; nothing where gone."""

    def left_disks(self) -> dict[str, int]:
        """The disks of ours that no domain has, whosever, by the ids of their guests, and the bytes that they take."""

    def sweep(self) -> int:
        """Delete the copies of images that were sent to the host, are gone here, and are in no domain; how many."""

    def get(self, guest_id: str) -> Seen | None:
        """One guest; None where it is not defined."""

    def drives_at_start(self, guest_id: str) -> tuple[Drive, ...]:
        """What its drives hold when it starts next, which somebody at the host may have let differ from now."""

    def all(self) -> dict[str, Seen]:
        """All guests of ours, by id, in time that hardly grows with their number."""

    def screen(self, guest_id: str) -> Screen:
        """What it shows now. Raises WrongStateError where it does not run."""

    def console(self, guest_id: str) -> tuple[str, int]:
        """The address and port of its VNC server, which listens on the host's loopback alone.

        Raises WrongStateError where it does not run.
        """

    def watch(self, told: Callable[[Change], None]) -> Callable[[], None]:
        """Call ``told`` from a thread of its own when a guest of ours changes; the answer ends that.

        Changes may be missed while the host is away: look at everything now and then.
        """
