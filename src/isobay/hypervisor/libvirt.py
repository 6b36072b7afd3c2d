"""Guests on libvirt and QEMU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from xml.etree.ElementTree import Element, tostring

import libvirt

from isobay.errors import HypervisorError, NotFoundError, WrongStateError
from isobay.hypervisor.connection import Connection, is_code
from isobay.hypervisor.domain_xml import Means, definition_of, domain_xml, drive_element, read_drives
from isobay.hypervisor.drives import change_drive
from isobay.hypervisor.host import choose_board, offers_kvm, read_account, read_host
from isobay.hypervisor.interface import SLOTS, Change, Drive, Guest, Host, Screen, Seen
from isobay.hypervisor.kvm import Proof
from isobay.hypervisor.media import ELSEWHERE, Elsewhere, Here, Media
from isobay.hypervisor.public import ASK
from isobay.hypervisor.reading import drives_of, read_leases, read_ours, read_seen
from isobay.hypervisor.rights import let_pass
from isobay.hypervisor.screens import take_screen
from isobay.hypervisor.storage import Storage
from isobay.hypervisor.surveying import Survey
from isobay.hypervisor.uri import is_here
from isobay.hypervisor.watching import Watch

T = TypeVar("T")
_UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
)


class LibvirtHypervisor:
    """The host of one connection URI. See ``Hypervisor``.

    ``installation``: the id of this isobay, whose guests alone are touched. ``data_dir``: isobay's directory, below
    which the images and, in ``guests``, the disks lie. Nothing is asked before the first call.
    """

    def __init__(self, uri: str, installation: str, data_dir: Path) -> None:
        self._connection = Connection(uri)
        self._installation = installation
        self._data_dir = data_dir.resolve()
        self._is_here = is_here(uri)
        self._storage = Storage(self._data_dir / "guests" if self._is_here else ELSEWHERE / installation)
        self._media: Media = Here(data_dir) if self._is_here else Elsewhere(data_dir, self._storage)
        self._survey = Survey(installation, self._media)
        self._proof = Proof.of(self._data_dir, uri)
        self._proving = Lock()
        self._kvm_runs: bool | None = None
        self._uri = uri

    def host(self) -> Host:
        """What the host can do. The first call may take seconds: it proves KVM."""
        return self._connection.ask(self._host)

    def make_disk(self, guest_id: str, size_gb: int) -> str:
        """Make the guest's disk. See ``Hypervisor.make_disk``."""
        return self._connection.ask(lambda opened: self._storage.disk(opened, guest_id, size_gb))

    def define(self, guest: Guest) -> None:
        """Define the guest, or define it anew. See ``Hypervisor.define``."""

        def work(opened: Any) -> None:
            xml = self._described(opened, guest)
            self._check_free(opened, guest.id)
            opened.defineXML(xml)

        self._connection.ask(work)

    def start(self, guest_id: str) -> None:
        """Start it; nothing where it runs."""

        def work(opened: Any, domain: Any) -> None:
            state, _ = domain.state()
            if not domain.isActive():
                # The rights may have gone meanwhile, as with files that come from a backup.
                self._shown(opened, self._seen(domain, {}).drives)
            # Who was killed may have begun to start it: then it runs by itself in the end.
            with _unless(lambda: domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING):
                if state == libvirt.VIR_DOMAIN_PAUSED:
                    domain.resume()
                elif state == libvirt.VIR_DOMAIN_PMSUSPENDED:
                    domain.pMWakeup()
                elif not domain.isActive():
                    domain.create()

        self._on(guest_id, work)

    def stop(self, guest_id: str, *, force: bool) -> None:
        """Press its power button, or pull its plug; nothing where it is stopped."""

        def work(_opened: Any, domain: Any) -> None:
            with _unless(lambda: not domain.isActive()):
                if force:
                    domain.destroy()
                else:
                    domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)

        self._on(guest_id, work)

    def reboot(self, guest_id: str) -> None:
        """Ask its system to reboot, or press reset. See ``Hypervisor.reboot``."""

        def work(_opened: Any, domain: Any) -> None:
            _check_active(domain, guest_id)
            try:
                domain.reboot(libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN)
            except libvirt.libvirtError:
                domain.reset()

        self._on(guest_id, work)

    def insert(self, guest_id: str, slot: int, image: Path | None) -> None:
        """Change the image in a drive. See ``Hypervisor.insert``."""
        if not 0 <= slot < SLOTS:
            raise HypervisorError(f"There is no drive {slot}: an instance has {SLOTS}, from 0 on.")

        def work(opened: Any, domain: Any) -> None:
            file = self._media.show(opened, image) if image else None
            there = read_drives(self._described_as(domain)).get(slot)
            target = None if there is None else there.find("target")
            if target is None:
                raise HypervisorError(f"Instance {guest_id} has no drive {slot}: somebody took it out of its domain.")
            drive = drive_element(slot, target.get("bus", ""), file, labels=self._labels(opened))
            change_drive(domain, target.get("dev", ""), tostring(drive, encoding="unicode"))

        self._on(guest_id, work)

    def remove(self, guest_id: str, *, keep_disk: bool = False) -> None:
        """Take the guest away. See ``Hypervisor.remove``."""

        def work(opened: Any) -> None:
            domain = self._ours(opened, guest_id)
            if domain is not None:
                if not domain.isPersistent():
                    # libvirt deletes the variables of UEFI with a definition, and only then.
                    opened.defineXML(definition_of(self._described_as(domain)))
                with _unless(lambda: not domain.isActive()):
                    domain.destroy()
                with _unless(lambda: self._ours(opened, guest_id) is None):
                    domain.undefineFlags(_UNDEFINE)
            self._storage.remove(opened, guest_id, keep_disk=keep_disk)

        self._connection.ask(work)

    def left_disks(self) -> dict[str, int]:
        """The disks of ours that no domain has. See ``Hypervisor.left_disks``."""
        if self._is_here and not self._storage.directory.exists():
            return {}  # to look would make it; and many never have a host for instances
        return self._connection.ask(self._storage.left_disks)

    def sweep(self) -> int:
        """Delete copies of images that nobody needs. See ``Hypervisor.sweep``."""
        return self._connection.ask(self._media.sweep)

    def get(self, guest_id: str) -> Seen | None:
        """One guest; None where it is not defined."""

        def work(opened: Any) -> Seen | None:
            domain = self._ours(opened, guest_id)
            return domain and self._seen(domain, read_leases(opened))

        try:
            return self._connection.ask(work, guest_id)
        except NotFoundError:
            return None

    def drives_at_start(self, guest_id: str) -> tuple[Drive, ...]:
        """What its drives hold when it starts next. See ``Hypervisor.drives_at_start``."""

        def work(_opened: Any, domain: Any) -> tuple[Drive, ...]:
            return drives_of(self._described_as(domain, libvirt.VIR_DOMAIN_XML_INACTIVE), self._media)

        return self._on(guest_id, work)

    def all(self) -> dict[str, Seen]:
        """All guests of ours, by id."""
        return self._connection.ask(self._survey.look)

    def screen(self, guest_id: str) -> Screen:
        """What it shows now. Raises WrongStateError where it does not run."""

        def work(opened: Any, domain: Any) -> Screen:
            _check_active(domain, guest_id)
            return take_screen(opened, domain)

        return self._on(guest_id, work)

    def console(self, guest_id: str) -> tuple[str, int]:
        """The address and port of its VNC server. Raises WrongStateError where it does not run."""
        if not self._is_here:
            raise HypervisorError(
                f"Consoles of guests on another machine cannot be reached: their VNC servers listen on the loopback of "
                f"the host of {self._uri} alone. Ask for screenshots, or run isobay there.",
                public="Consoles of instances on another machine cannot be reached. Ask for screenshots.",
            )

        def work(_opened: Any, domain: Any) -> tuple[str, int]:
            _check_active(domain, guest_id)
            graphics = self._described_as(domain).find("devices/graphics[@type='vnc']")
            if graphics is None or int(graphics.get("port", "-1")) < 0:
                raise HypervisorError(f"Instance {guest_id} has no VNC server: somebody took it out of its domain.")
            return "127.0.0.1", int(graphics.get("port", ""))

        return self._on(guest_id, work)

    def watch(self, told: Callable[[Change], None]) -> Callable[[], None]:
        """Call ``told`` when a guest changes; where the host is away, as soon as it is there again."""
        return Watch(self._connection, told).end

    def _host(self, opened: Any) -> Host:
        account = read_account(opened)
        if account and self._is_here:
            let_pass(self._data_dir, self._data_dir, account)
        with self._proving:
            if self._kvm_runs is None:
                self._kvm_runs = offers_kvm(opened) and self._proof.holds(opened, self._storage)
        return read_host(opened, kvm_runs=self._kvm_runs)

    def _described(self, opened: Any, guest: Guest) -> str:
        host = self._host(opened)
        board = choose_board(opened, guest, host, self._uri)
        accelerated = any(found.name == guest.architecture and found.accelerated for found in host.architectures)
        means = Means(accelerated, self._labels(opened), self._storage.log(guest.id), self._shown(opened, guest.drives))
        return domain_xml(guest, self._installation, board, means)

    def _labels(self, opened: Any) -> bool:
        return read_account(opened) is not None

    def _shown(self, opened: Any, drives: Iterable[Drive]) -> dict[int, str]:
        """The files of the images in some drives, by slot, which guests may read from now on."""
        return {drive.slot: self._media.show(opened, drive.image) for drive in drives if drive.image}

    def _on(self, guest_id: str, work: Callable[[Any, Any], T]) -> T:
        """Work with one guest of ours. Raises NotFoundError where it is not defined."""

        def found(opened: Any) -> T:
            domain = self._ours(opened, guest_id)
            if domain is None:
                raise NotFoundError.of("instances", guest_id)
            return work(opened, domain)

        return self._connection.ask(found, guest_id)

    def _ours(self, opened: Any, guest_id: str) -> Any:
        """The domain of a guest of ours; None where it is not there, or somebody else's."""
        try:
            domain = opened.lookupByUUIDString(guest_id)
            return domain if read_ours(domain.XMLDesc(0), self._installation) is not None else None
        except libvirt.libvirtError as error:
            if is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
                return None
            raise

    def _check_free(self, opened: Any, guest_id: str) -> None:
        """Raise HypervisorError where somebody else has a domain with this id."""
        try:
            opened.lookupByUUIDString(guest_id)
        except libvirt.libvirtError as error:
            if is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
                return
            raise
        if self._ours(opened, guest_id) is None:
            said = f"has a domain {guest_id} that is not of this isobay."
            raise HypervisorError(f"The host of {self._uri} {said}", public=f"The host {said} {ASK}")

    def _described_as(self, domain: Any, flags: int = 0) -> Element:
        description = read_ours(domain.XMLDesc(flags), self._installation)
        if description is None:
            raise NotFoundError.of("instances", domain.UUIDString())
        return description

    def _seen(self, domain: Any, leases: dict[str, str]) -> Seen:
        state, reason = domain.state()
        return read_seen(self._described_as(domain), state, reason, leases, self._media)


@contextmanager
def _unless(done: Callable[[], Any]) -> Iterator[None]:
    """Let an error pass where what was wanted has come to be meanwhile."""
    try:
        yield
    except libvirt.libvirtError:
        if not done():
            raise


def _check_active(domain: Any, guest_id: str) -> None:
    if not domain.isActive():
        raise WrongStateError(f"The instance {guest_id} does not run. Start it first.", type="instances", id=guest_id)
