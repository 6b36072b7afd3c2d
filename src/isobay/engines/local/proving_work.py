"""The handler of boot proofs: an ISO is booted in throw-away guests, and what they show is looked at.

A guest of a proof has the id of its task: who watches the hosts leaves it alone as long as that is pending, and takes
it away afterwards, whoever died meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import msgspec
from msgspec import Struct

from isobay.catalog import Transaction
from isobay.catalog.isos import Kept
from isobay.engines.local.instance_choices import UNKNOWN_ARCHITECTURE, mac_of
from isobay.engines.local.instance_record import InstanceTools
from isobay.engines.local.proving_look import Patience, listen_to, look_at
from isobay.errors import HypervisorError, IsobayError, UnavailableError
from isobay.hypervisor import Drive, Firmware, Guest, Host, Hypervisor
from isobay.model import BootProof, Zone
from isobay.model.iso import BootResult
from isobay.tasks import LostError, Work
from isobay.telemetry import logs

if TYPE_CHECKING:  # Pillow comes with the extra libvirt, without which there is nothing to look at
    from isobay.engines.local.proving_screens import Speech

MEMORY_MB = 1024
OWNER = "boot-proof"
EMULATED = 2.0  # times as slow, at least
SECURE: Firmware = "uefi-secure"
MODES: tuple[Firmware, ...] = ("bios", "uefi", SECURE)


class _Course(Struct, frozen=True):
    """One attempt: the task, the ISO as it was at its beginning, and the host that boots it."""

    work: Work
    kept: Kept
    host: Hypervisor

    @property
    def architecture(self) -> str:
        """What it is for."""
        return self.kept.iso.architecture or UNKNOWN_ARCHITECTURE

    def say(self, message: str) -> None:
        """Say what is done next. Raises LostError, CancelledError: then it is not done."""
        self.work.report(message=message, bytes_done=0, bytes_total=0)

    def guest(self, firmware: Firmware, image: Path | None) -> Guest:
        """The guest that boots it by one firmware, or with an empty tray."""
        guest_id = self.work.task.id
        return Guest(
            id=guest_id,
            name=f"boot proof of {self.kept.iso.name}",
            environment_id=self.kept.environment_id,
            owner=OWNER,
            cpu_count=1,
            memory_mb=MEMORY_MB,
            architecture=self.architecture,
            firmware=firmware,
            disk="",
            drives=(Drive(0, image),),
            network="none",
            mac=mac_of(guest_id),
            stops_at_reboot=True,
        )


class Prover:
    """Works on the tasks that boot ISOs. ``cache_dir`` keeps how the firmware of a host speaks."""

    def __init__(self, tools: InstanceTools, cache_dir: Path, patience: Patience) -> None:
        self._tools = tools
        self._cache_dir = cache_dir / "firmware"
        self._patience = patience

    def __call__(self, work: Work) -> None:
        """Boot one ISO by each of its modes, and write down what came of it."""
        catalog = self._tools.catalog
        with catalog.reading() as tx:
            kept = catalog.isos.by_id(tx, work.task.subject)
            if kept is None:
                raise LostError
            zones = [zone for zone in self._tools.zones(tx).values() if zone.id in kept.iso.available_in_zones]
        host = self._host(kept, zones)

        def fail(tx: Transaction, error: IsobayError) -> None:
            if isinstance(error, UnavailableError):  # what is away comes back, and then it gets another turn
                catalog.boot_proofs.await_one(tx, kept.iso.id)

        work.failing = fail
        course = _Course(work, kept, host)
        proofs: list[BootProof] = []
        picture = b""
        for mode in _modes(course):
            proof, shown = self._prove(course, mode)
            proofs.append(proof)
            picture = shown or picture
        told = msgspec.to_builtins(proofs)
        work.succeed(
            {"id": kept.iso.id, "name": kept.iso.name, "bootProof": told},
            f"The ISO {kept.iso.name!r} was booted: {', '.join(f'{each.mode} {each.result}' for each in proofs)}.",
            lambda tx: self._keep(tx, kept, proofs, picture),
        )

    def _host(self, kept: Kept, zones: list[Zone]) -> Hypervisor:
        for zone in zones:
            if self._tools.hosts.uri(zone):
                return self._tools.hosts.of(zone)
        raise HypervisorError(
            f"No zone of the ISO {kept.iso.name!r} has a host for instances. Name one in ISOBAY_LIBVIRT, as "
            "qemu:///system."
        )

    def _prove(self, course: _Course, mode: str) -> tuple[BootProof, bytes]:
        """What came of booting it by one mode, and its picture, if it showed anything."""
        has = course.host.host()
        refusal = _refusal(has, course.architecture, mode)
        if refusal:
            return BootProof(mode=mode, result="not tried", message=refusal), b""
        firmware = cast("Firmware", mode)
        is_fast = any(each.accelerated for each in has.architectures if each.name == course.architecture)
        patience = self._patience if is_fast else self._patience.times(EMULATED)
        try:
            speech = self._speech(course, firmware, patience)
            course.say(f"Booting it by {mode}.")
            try:
                image = self._image(course)
            except UnavailableError as error:  # objects are not kept in files
                return BootProof(mode=mode, result="not tried", message=error.public), b""
            with self._running(course, firmware, image):
                looked = look_at(course.host, course.work, speech, patience)
        except HypervisorError as error:
            logs.error("boot proof failed", iso=course.kept.iso.id, mode=mode, reason=error.message)
            return BootProof(mode=mode, result="failed", message=error.public), b""
        result: BootResult = "shown" if looked.picture else "nothing shown"
        seconds = round(looked.seconds, 1)
        return BootProof(mode=mode, result=result, seconds=seconds, message=looked.message), looked.picture

    def _image(self, course: _Course) -> Path:
        """Its file. Raises StorageError, UnavailableError."""
        # It may have gone over to an equal object since the task began.
        with self._tools.catalog.reading() as tx:
            kept = self._tools.catalog.isos.by_id(tx, course.kept.iso.id)
        if kept is None:
            raise LostError
        return self._tools.objects.path(kept.object_id)

    @contextmanager
    def _running(self, course: _Course, firmware: Firmware, image: Path | None) -> Iterator[None]:
        """Run the guest until the end of the block.

        Not where the attempt is lost: the guest may be another attempt's by now, and else it is found to be nobody's.
        """
        host, guest = course.host, course.guest(firmware, image)
        host.remove(guest.id)  # an attempt before this one may have left it
        try:
            # Defined, so that the variables of its firmware go with it, also when it has ended by itself.
            host.define(guest)
            host.start(guest.id)
            yield
        except LostError:
            raise
        except BaseException:
            with suppress(IsobayError):
                host.remove(guest.id)
            raise
        host.remove(guest.id)

    def _speech(self, course: _Course, firmware: Firmware, patience: Patience) -> Speech:
        """How a firmware speaks on this host."""
        speech = self._heard(course, firmware, patience)
        if firmware == "uefi" and not _refusal(course.host.host(), course.architecture, SECURE):
            # What it says flashes by before its shell clears the screen; Secure Boot does not let it start that.
            others = self._heard(course, SECURE, patience).beginnings
            speech = msgspec.structs.replace(speech, beginnings=speech.beginnings | others)
        return speech

    def _heard(self, course: _Course, firmware: Firmware, patience: Patience) -> Speech:
        """What it said when it booted with an empty tray, which is done once."""
        from isobay.engines.local.proving_screens import Speech

        about = f"{course.host.host().name} {course.architecture} {firmware}"
        file = self._cache_dir / f"{sha256(about.encode()).hexdigest()}.json"
        with suppress(FileNotFoundError, msgspec.DecodeError):
            return msgspec.json.decode(file.read_bytes(), type=Speech)
        course.say(f"Looking at what the firmware says of itself ({firmware}).")
        with self._running(course, firmware, None):
            speech = listen_to(course.host, course.work, patience)
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_suffix(f".{uuid4()}")
        written.write_bytes(msgspec.json.encode(speech))
        written.replace(file)
        return speech

    def _keep(self, tx: Transaction, kept: Kept, proofs: list[BootProof], picture: bytes) -> None:
        catalog = self._tools.catalog
        now = catalog.isos.by_id(tx, kept.iso.id)
        place = catalog.places.by_id(tx, kept.environment_id)
        if now is None or place is None:
            raise LostError
        # Not a change that anybody made: ``updated`` stays.
        catalog.isos.replace(tx, place, msgspec.structs.replace(now.iso, boot_proof=proofs))
        catalog.boot_proofs.keep_picture(tx, kept.iso.id, picture)


def _modes(course: _Course) -> list[str]:
    """What to boot it by: its own modes, and with Secure Boot too where the host can."""
    modes = course.kept.iso.boot_modes or ["bios"]
    if "uefi" in modes and not _refusal(course.host.host(), course.architecture, SECURE):
        return [*modes, SECURE]
    return modes


def _refusal(host: Host, architecture: str, mode: str) -> str:
    """Why the host cannot boot by a mode; empty where it can."""
    has = next((each for each in host.architectures if each.name == architecture), None)
    if mode not in MODES:
        return f"isobay boots by {' and '.join(MODES)} only."
    if has is None:
        return f"The host has no emulator for {architecture}."
    return "" if mode in has.firmware else f"The host has no {mode} firmware for {architecture}."
