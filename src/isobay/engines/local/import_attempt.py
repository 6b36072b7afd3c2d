"""One attempt at an import: fetched, followed, checked, and put in its place when all of it is right."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from threading import Event
from time import monotonic
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Struct

from isobay.catalog import Catalog, Transaction
from isobay.engines.local.arrival import Arrival, Arrived
from isobay.engines.local.arrival_record import ArrivalRecord
from isobay.engines.local.describing import believed, contradictions
from isobay.engines.local.incoming import Incoming
from isobay.engines.local.looking import Looking
from isobay.engines.local.os_types import OsTypes
from isobay.engines.local.quota import Quota
from isobay.engines.local.rate import Rate
from isobay.errors import (
    CancelledError,
    ConflictError,
    FetchError,
    IsobayError,
    SettingsError,
    StorageError,
    UnavailableError,
)
from isobay.inspection import Report, RulesShelf, inspect
from isobay.model import NewIso
from isobay.objects import Objects, Part
from isobay.tasks import LostError, StoppedError, Work
from isobay.transfer import promises
from isobay.transfer.answers import Answer, Version
from isobay.transfer.checksums import Checksum
from isobay.transfer.client import HaltedError
from isobay.transfer.fetching import Fetching, Patience
from isobay.transfer.network import Network
from isobay.transfer.url import SourceUrl

TICK_SECONDS = 0.05
REPORT_SECONDS = 1.0
# A loss of power costs what came since. Oftener, and the thread that writes waits for the file system's journal.
SYNC_BYTES = 128 << 20
# What another try may go on from: the bytes that came are as good as before.
KEEPING = (FetchError, CancelledError, UnavailableError, SettingsError)
DISCARDING = frozenset({"too-large", "changing", "length"})

_version_json = msgspec.json.Encoder().encode
_read_version = msgspec.json.Decoder(Version).decode


class Tools(Struct, frozen=True):
    """What every attempt needs."""

    catalog: Catalog
    objects: Objects
    rules: RulesShelf
    os_types: OsTypes
    network: Network
    patience: Patience
    quota: Quota
    limit: int
    signing_keys: str


class Attempt:
    """One thread fetches, one follows what came, and the caller's watches over both."""

    def __init__(self, tools: Tools, work: Work, record: ArrivalRecord) -> None:
        self._tools = tools
        self._work = work
        self._record = record
        self._halt = Event()
        self._rate = Rate()
        self._message, self._said_at = "Asking the server.", 0
        self._usual = self._message
        self._anew = ""
        self._fields: dict[str, Any] = {}
        self._length = -1
        self._kept = 0
        self._told_at = self._synced_at = 0.0
        self._synced = 0
        self._version = Version()
        self._parts: list[Part] = []
        self._published: Part | None = None
        work.failing = lambda tx, error: record.failed(tx, error, self._kept)

    def run(self, wanted: NewIso, object_id: str, version: str) -> None:
        """Bring the image, and end the task. ``version`` tells whose beginning the object's part holds."""
        with ExitStack() as stack:
            try:
                part = self._take_up(stack, object_id)
                known = _read_version(version) if version and part.size else Version()
                expected = promises.promised(self._tools.network, self._is_over, wanted, self._tools.signing_keys)
                arrived = self._bring(wanted, part, known, expected, stack)
                self._finish(wanted, arrived, expected)
            except HaltedError as error:  # while the promises were asked for: nothing else is halted from here
                self._let_go(keeps=True)
                raise StoppedError from error
            except BaseException as error:
                self._let_go(keeps=_keeps(error))
                raise
            for each in self._parts:
                if each is not arrived.image:
                    each.discard()  # the packed file, which nobody needs now

    def begins(self, answer: Answer) -> None:
        """A file comes: is there room for it? Called by the thread that fetches."""
        self._length = answer.length
        if self._length >= 0:
            self._write(self._expect)
        self._arrival.total = self._length

    def keeps(self, version: Version) -> None:
        """Remember whose beginning the part holds. Called by the thread that fetches."""
        self._version = version
        self._length = version.length
        text = _version_json(version).decode()
        self._write(lambda tx: self._tools.catalog.imports.set_version(tx, self._work.task.subject, text))

    def _expect(self, tx: Transaction) -> None:
        """Does the environment take it, and is there room for it beside what other imports still bring?"""
        self._record.expect(tx, self._length)
        others = self._tools.catalog.tasks.still_to_come(tx, self._work.task)
        self._tools.objects.check_room(self._length, others)

    def says(self, message: str) -> None:
        """Say it, until more bytes come. Called by the thread that fetches."""
        self._message, self._said_at = message, self._parts[0].size

    def starts_over(self, reason: str) -> None:
        """Say it, to the end: whoever looks later wants to know too. Called by the thread that fetches."""
        self._anew = f" It was started over: {reason}."

    def _take_up(self, stack: ExitStack, object_id: str) -> Part:
        """Open the part, or another one where an attempt that is thought dead still holds it."""
        try:
            return self._open(stack, object_id)
        except ConflictError:
            part = self._open(stack, str(uuid4()))
            self._write(lambda tx: self._record.move(tx, part.object_id))
            return part

    def _open(self, stack: ExitStack, object_id: str) -> Part:
        part = stack.enter_context(self._tools.objects.resume(object_id))
        self._parts.append(part)
        return part

    def _bring(
        self, wanted: NewIso, part: Part, version: Version, expected: tuple[Checksum, ...], stack: ExitStack
    ) -> Arrived:
        tools = self._tools
        url = SourceUrl.parse(wanted.url)
        incoming = Incoming(part)
        self._arrival = Arrival(
            incoming,
            part,
            lambda: self._open(stack, str(uuid4())),
            frozenset({"sha256", *(each.algorithm for each in expected)}),
            Looking(tools.rules, lambda report: self._look(report, wanted)),
            tools.limit,
        )
        self._version = version
        self._arrival.total = self._length = version.length
        self._usual = f"Fetching from {url.host}."
        fetching = Fetching(tools.network, url, incoming, self, self._halt, tools.patience, tools.limit)
        with ThreadPoolExecutor(2) as threads:
            following = threads.submit(self._arrival.run)
            fetched = threads.submit(_fetch, fetching, version, incoming)
            self._watch(part, incoming, {fetched, following})
        return following.result()

    def _watch(self, part: Part, incoming: Incoming, futures: set[Future[Any]]) -> None:
        """Wait for both threads, telling how far it is; the first failure ends them both."""
        waiting = futures
        try:
            while waiting:
                done, waiting = wait(waiting, TICK_SECONDS, FIRST_EXCEPTION)
                if any(each.exception() for each in done):
                    break
                if self._work.stopping.is_set():
                    raise StoppedError
                self._sync(part)
                self._tell(part)
        finally:
            if waiting:
                self._halt.set()
                incoming.halt()
        wait(futures)
        failures = [error for each in futures if (error := each.exception())]
        for error in sorted(failures, key=lambda error: isinstance(error, HaltedError)):
            raise error

    def _sync(self, part: Part) -> None:
        size, now = part.size, monotonic()
        is_due = size - self._synced >= SYNC_BYTES or now - self._synced_at >= part.sync_seconds
        if size != self._synced and is_due:
            part.sync()
            self._synced, self._synced_at = size, now

    def _tell(self, part: Part) -> None:
        now = monotonic()
        if now - self._told_at < REPORT_SECONDS:
            return
        self._told_at = now
        size, total, fields, parts = part.size, max(self._length, 0), self._fields, tuple(self._parts)
        message = (self._usual if size > self._said_at else self._message) + self._anew
        progress = min(size / total, 1.0) if total else 0.0
        self._work.report(
            message=message,
            bytes_done=size,
            bytes_total=total,
            bytes_per_second=self._rate.at(size),
            # What did not say its length, or unpacks to more, is counted as it grows.
            then=lambda tx: self._record.arriving(tx, progress, message, fields, max(part.size for part in parts)),
        )

    def _write(self, then: Any) -> None:
        task = self._work.task
        self._work.report(bytes_done=task.bytes_done, bytes_total=max(self._length, 0), then=then)

    def _look(self, report: Report, wanted: NewIso) -> None:
        self._fields = believed(report, self._tools.os_types, wanted)

    def _is_over(self) -> bool:
        return self._work.stopping.is_set() or self._halt.is_set()

    def _finish(self, wanted: NewIso, arrived: Arrived, expected: tuple[Checksum, ...]) -> None:
        came = self._parts[0].size
        self._work.report(message=f"All is there. Checking it.{self._anew}", bytes_done=came, bytes_total=came)
        promises.check(expected, arrived.digests, arrived.fetched)
        image, os_types = arrived.image, self._tools.os_types
        report = inspect(image.read_at, image.size, self._tools.rules.rules())
        image.publish()
        self._published = image
        self._work.succeed(
            {"id": self._work.task.subject, "name": wanted.name, "size": image.size, "checksums": arrived.digests},
            f"The ISO {wanted.name!r} is ready.{self._anew}",
            lambda tx: self._record.ready(
                tx,
                image.object_id,
                size=image.size,
                status_message=contradictions(report, os_types, wanted),
                checksums=arrived.digests,
                **believed(report, os_types, wanted),
            ),
        )

    def _let_go(self, *, keeps: bool) -> None:
        """Keep what another attempt can go on from, and nothing else."""
        for number, part in enumerate(self._parts):
            if keeps and number == 0 and part.size and self._version.condition:
                self._kept = part.size
                # What is not durable now is fetched again after a loss of power.
                with suppress(StorageError, UnavailableError):
                    part.sync()
            elif not (keeps and part is self._published):
                part.discard()


def _keeps(error: BaseException) -> bool:
    """Whether what came may be needed: where nobody can tell, as when a commit fails, its row may stand already."""
    if isinstance(error, IsobayError):
        return isinstance(error, KEEPING) and error.context.get("reason") not in DISCARDING
    return not isinstance(error, LostError)


def _fetch(fetching: Fetching, version: Version, incoming: Incoming) -> None:
    try:
        fetching.run(version)
        incoming.finish()
    except BaseException:
        incoming.halt()
        raise
