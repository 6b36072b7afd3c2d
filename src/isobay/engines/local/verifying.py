"""What a worker does for images that lie there: it reads them again, slowly, and compares them with their hash."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from time import monotonic

from isobay.catalog import Catalog
from isobay.clock import utc_now
from isobay.engines.local.checking import Checker, Fault
from isobay.engines.local.mending import Mender
from isobay.errors import IsobayError, StorageError
from isobay.objects import Objects
from isobay.tasks import LostError, StoppedError
from isobay.telemetry import logs

LOOK_SECONDS = 300.0
AT_ONCE = 100
RENEW_SECONDS = 60.0
DEAD = timedelta(minutes=10)  # without a sign of life, whatever the clocks of two machines say


class Verifying:
    """Verifies images. Any number of processes may, at the same time: who claimed an object is alone."""

    def __init__(self, catalog: Catalog, objects: Objects, rate: int, days: int) -> None:
        self._catalog = catalog
        self._objects = objects
        self._checker = Checker(catalog, objects)
        self._mender = Mender(catalog, objects, self._checker)
        self._rate = rate
        self._age = timedelta(days=days)

    def run(self, stop: Event) -> None:
        """Verify what is due until ``stop`` is set."""
        if not self._rate:
            return
        while not stop.is_set():
            try:
                self.verify(stop)
            except StoppedError:
                return
            except IsobayError as error:
                logs.error("images cannot be verified", reason=error.message)
            stop.wait(LOOK_SECONDS)

    def verify(self, stop: Event) -> None:
        """Verify some of what is due, the oldest first. Raises StoppedError when ``stop`` is set."""
        with self._catalog.reading() as tx:
            due = self._catalog.checks.due(tx, utc_now(-self._age), utc_now(-DEAD), AT_ONCE)
        for object_id in due:
            try:
                self._verify(object_id, stop)
            except LostError:
                continue  # another one goes on with it, or it is deleted
            except StorageError as error:
                # It stays claimed for a while, so the others have their turn before it is tried again.
                logs.error("image cannot be verified", object=object_id, reason=error.message)

    def _verify(self, object_id: str, stop: Event) -> None:
        claim = _Claim(self._catalog, object_id, self._age)
        pace = _Pace(self._rate, stop, claim.renew)
        fault = self._checker.fault(object_id, pace)
        if fault:
            self._mend(fault, pace)
        claim.end()

    def _mend(self, fault: Fault, pace: _Pace) -> None:
        isos = [kept.iso.id for kept in fault.isos]
        if fault.kind == "missing" and not any(stored.whole for stored in self._objects.stored()):
            raise StorageError("The store holds no image at all. See that its disk is mounted.")
        done = self._mender.mend(fault, pace)
        logs.error("image damaged", object=fault.object_id, found=fault.found, isos=isos, done=done or "Nothing.")


class _Claim:
    """The right to verify an object. Its methods, and the taking of it, raise LostError where it is another's,
    or the object is deleted.
    """

    def __init__(self, catalog: Catalog, object_id: str, age: timedelta) -> None:
        self._catalog = catalog
        self._object_id = object_id
        self._claimed = utc_now()
        with catalog.writing() as tx:
            if not catalog.checks.claim(tx, object_id, self._claimed, utc_now(-age), utc_now(-DEAD)):
                raise LostError

    def renew(self) -> None:
        """Give a sign of life."""
        now = utc_now()
        with self._catalog.writing() as tx:
            if not self._catalog.checks.renew(tx, self._object_id, self._claimed, now):
                raise LostError
        self._claimed = now

    def end(self) -> None:
        """Say that it is verified."""
        with self._catalog.writing() as tx:
            if not self._catalog.checks.end(tx, self._object_id, self._claimed, utc_now()):
                raise LostError


class _Pace:
    """Lets at most so many bytes a second be read, and breathes meanwhile."""

    def __init__(self, rate: int, stop: Event, breathe: Callable[[], None]) -> None:
        self._rate = rate
        self._stop = stop
        self._breathe = breathe
        self._due = self._breathed = monotonic()

    def __call__(self, size: int) -> None:
        """Wait as long as these bytes may take. Raises StoppedError, and what the breath raises."""
        self._due = max(self._due, monotonic()) + size / self._rate
        while True:
            now = monotonic()
            if now - self._breathed >= RENEW_SECONDS:
                self._breathe()
                self._breathed = now
            if self._stop.wait(min(max(self._due - now, 0.0), RENEW_SECONDS)):
                raise StoppedError
            if monotonic() >= self._due:
                return
