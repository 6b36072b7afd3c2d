"""The handlers of work on instances. Each may be begun again after any death, and comes to the same end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import msgspec
from msgspec import Struct

from isobay.catalog import KeptInstance, Transaction
from isobay.clock import utc_now
from isobay.engines.local import instance_record as kinds
from isobay.engines.local.instance_record import InstanceTools, guest_of, settle_drives
from isobay.errors import IsobayError, UnavailableError, WrongStateError
from isobay.hypervisor import Hypervisor
from isobay.tasks import Handler, LostError, StoppedError, Work

LOOK_SECONDS = 0.5
AWAY_SECONDS = 5.0
PRESS_SECONDS = 10.0  # a system that still boots does not see its power button yet


class _Course(Struct, frozen=True):
    """One attempt: the task, the instance as it was at its beginning, and its host."""

    work: Work
    kept: KeptInstance
    host: Hypervisor

    def say(self, message: str) -> None:
        """Say what is done next. Raises LostError, CancelledError: then it is not done."""
        self.work.report(message=message, bytes_done=0, bytes_total=0)

    def succeed(self, message: str, then: Callable[[Transaction], None]) -> None:
        """End the task."""
        name = self.kept.record.name
        self.work.succeed({"id": self.kept.id, "name": name}, f"The instance {name!r} {message}.", then)


class InstanceWorker:
    """Works on the tasks of instances: the row says what is wanted, and the host is made to agree."""

    def __init__(self, tools: InstanceTools) -> None:
        self._tools = tools
        self._steps: dict[str, Callable[[_Course], None]] = {
            kinds.CREATE: self._start,
            kinds.START: self._start,
            kinds.STOP: self._stop,
            kinds.HALT: self._halt,
            kinds.REBOOT: self._reboot,
            kinds.ATTACH: self._attach,
            kinds.DETACH: self._detach,
            kinds.EJECT: self._eject,
            kinds.DESTROY: self._destroy,
            kinds.RECOVER: self._recover,
            kinds.PURGE: self._purge,
        }

    @property
    def handlers(self) -> dict[str, Handler]:
        """What works on each kind of task."""
        return dict.fromkeys(self._steps, self._work_on)

    def _work_on(self, work: Work) -> None:
        """Do it; a host that starts anew is waited for a little."""
        ends = monotonic() + AWAY_SECONDS
        while True:
            try:
                self._attempt(work)
            except UnavailableError:
                if monotonic() >= ends:
                    raise
            else:
                return
            if work.stopping.wait(LOOK_SECONDS):
                raise StoppedError

    def _attempt(self, work: Work) -> None:
        instance_id = work.task.subject
        with self._tools.catalog.reading() as tx:
            kept = self._tools.catalog.instances.get(tx, instance_id)
            if kept is None:
                raise LostError
            work.failing = self._failing(kept, work.task.kind)
            host = self._tools.host(tx, kept)
        try:
            self._steps[work.task.kind](_Course(work, kept, host))
        except LostError:
            # This process was frozen meanwhile, and may have made anew what another took away for good.
            with self._tools.catalog.reading() as tx:
                is_gone = self._tools.catalog.instances.get(tx, instance_id) is None
            if is_gone:
                with suppress(IsobayError):
                    host.remove(instance_id)
            raise

    def _failing(self, kept: KeptInstance, kind: str) -> Callable[[Transaction, IsobayError], None]:
        def fail(tx: Transaction, error: IsobayError) -> None:
            is_unmade = kind in (kinds.CREATE, kinds.START) and not kept.record.disk
            # What is away comes back, and then this is tried again by itself.
            is_stuck = kind == kinds.EJECT and not isinstance(error, UnavailableError)
            if is_unmade:
                problem = f"It could not be made. {error.public} Start it to try again."
                self._tools.change(tx, kept.id, problem=problem)
            elif is_stuck:
                self._tools.change(tx, kept.id, problem=error.public)
            for drive in kept.isos:
                if drive.leaving:
                    self._tools.catalog.instances.set_leaving(tx, kept.id, drive.slot, leaving=False)

        return fail

    def _start(self, course: _Course) -> None:
        kept, host, record = course.kept, course.host, course.kept.record
        with self._tools.catalog.reading() as tx:
            images = self._tools.images(tx, kept)
        course.say("Making the guest.")
        # A disk that was there and is lost is not replaced by an empty one.
        disk = record.disk or host.make_disk(kept.id, record.disk_gb)
        seen = host.get(kept.id)
        if seen is None or not record.disk or record.problem:
            host.define(guest_of(kept, disk, images, seen, ejects=record.ejects))
        else:
            settle_drives(host, seen, images)
        course.say("Starting the guest.")
        host.start(kept.id)
        course.succeed("runs", lambda tx: self._tools.change(tx, kept.id, disk=disk, problem="", rests=False))

    def _stop(self, course: _Course) -> None:
        course.say("Its power button is pressed; its system takes its time.")
        ends, pressed = monotonic() + self._tools.stop_seconds, 0.0
        while self._runs(course):
            if monotonic() >= ends:
                raise WrongStateError(
                    f"The instance {course.kept.record.name!r} did not stop in {self._tools.stop_seconds} seconds: "
                    "its system does not heed its power button, or takes longer. Stop it by force (forceStop).",
                    type="instances",
                    id=course.kept.id,
                )
            if monotonic() - pressed > PRESS_SECONDS:
                pressed = monotonic()
                course.host.stop(course.kept.id, force=False)
            elif course.work.stopping.wait(LOOK_SECONDS):
                raise StoppedError
            course.say(course.work.task.message)
        course.succeed("is stopped", _nothing)

    def _halt(self, course: _Course) -> None:
        self._pull(course)
        course.succeed("is stopped", _nothing)

    def _reboot(self, course: _Course) -> None:
        course.say("Asking its system to reboot.")
        course.host.reboot(course.kept.id)
        course.succeed("reboots", _nothing)

    def _attach(self, course: _Course) -> None:
        kept = course.kept
        with self._tools.catalog.reading() as tx:
            images = self._tools.images(tx, kept)
        course.say("Changing what is in its drives.")
        seen = course.host.get(kept.id)
        if seen:
            settle_drives(course.host, seen, images)
        course.succeed("has the ISO", _nothing)

    def _detach(self, course: _Course) -> None:
        kept = course.kept
        leaving = [drive.slot for drive in kept.isos if drive.leaving]
        staying = {drive.slot for drive in kept.isos} - set(leaving)
        course.say("Emptying the drive.")
        seen = course.host.get(kept.id)
        if seen:
            foreign = {drive.slot for drive in seen.drives if drive.image} - staying
            for slot in sorted({*leaving, *foreign}):  # what looks empty may be full at the guest's next start
                course.host.insert(kept.id, slot, None)

        def then(tx: Transaction) -> None:
            for slot in leaving:
                self._tools.catalog.instances.take_out(tx, kept.id, slot)

        course.succeed("has let go of the ISO", then)

    def _eject(self, course: _Course) -> None:
        """The guest rebooted for the first time, which stopped it: empty its first drive, and let it go on."""
        kept = course.kept
        others = msgspec.structs.replace(kept, isos=tuple(drive for drive in kept.isos if drive.slot))
        with self._tools.catalog.reading() as tx:
            images = self._tools.images(tx, others)
        course.say("Emptying the first drive, and starting the guest again.")
        course.host.define(guest_of(kept, kept.record.disk, images, course.host.get(kept.id), ejects=False))
        course.host.start(kept.id)

        def then(tx: Transaction) -> None:
            self._tools.catalog.instances.take_out(tx, kept.id, 0)
            self._tools.change(tx, kept.id, ejects=False, problem="")

        course.succeed("goes on without the ISO", then)

    def _destroy(self, course: _Course) -> None:
        self._pull(course)
        course.succeed(
            "is destroyed, and can be recovered",
            lambda tx: self._tools.change(tx, course.kept.id, destroyed=utc_now()),
        )

    def _recover(self, course: _Course) -> None:
        course.succeed("is recovered", lambda tx: self._tools.change(tx, course.kept.id, destroyed=""))

    def _purge(self, course: _Course) -> None:
        course.say("Taking the guest and its disk away.")
        course.host.remove(course.kept.id)
        course.succeed("is gone", lambda tx: self._tools.catalog.instances.delete(tx, course.kept.id))

    def _pull(self, course: _Course) -> None:
        course.say("Pulling its plug.")
        if self._runs(course):
            course.host.stop(course.kept.id, force=True)

    def _runs(self, course: _Course) -> bool:
        seen = course.host.get(course.kept.id)
        return seen is not None and seen.power != "Stopped"


def _nothing(_: Transaction) -> None:
    """What the host did is all there was to do."""
