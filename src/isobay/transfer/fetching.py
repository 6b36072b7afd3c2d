"""Fetching one file, to the end: it goes on where it stopped, and tells one file from another under the same URL."""

from __future__ import annotations

from time import monotonic
from typing import Protocol

from msgspec import Struct

from isobay.errors import FetchError
from isobay.transfer.answers import Answer, Version, status_failure
from isobay.transfer.client import Client, HaltedError
from isobay.transfer.network import Network
from isobay.transfer.url import SourceUrl

GATHERED = 1 << 20  # each piece costs a write and a wake-up
MAX_CHANGES = 3
FIRST_RETRIES = 3
MAX_PAUSE_SECONDS = 60.0  # who waits holds the place of one that could go


class Part(Protocol):
    """What holds the bytes that came so far."""

    @property
    def size(self) -> int:
        """Bytes."""

    def append(self, data: bytes, /) -> None:
        """Take more at the end."""

    def restart(self) -> None:
        """Forget all of it."""


class Pause(Protocol):
    """Waits, and tells when to stop: a threading.Event."""

    def wait(self, timeout: float, /) -> bool:
        """Wait for as many seconds; True if it is time to stop."""

    def is_set(self) -> bool:
        """Whether it is time to stop."""


class Patience(Struct, frozen=True):
    """How often in a row a fetch that brings nothing is tried again, how long to wait first, and how long in all."""

    retries: int = 8
    first_seconds: float = 1.0
    total_seconds: float = 86_400.0


class Listener(Protocol):
    """Told what happens."""

    def begins(self, answer: Answer) -> None:
        """A file comes, from its first byte; refuse it by raising."""

    def keeps(self, version: Version) -> None:
        """Remember whose beginning the part holds."""

    def says(self, message: str) -> None:
        """What a person may want to know while nothing comes."""

    def starts_over(self, reason: str) -> None:
        """What came is of no use, and all is fetched again."""


class Fetching:
    """Brings the file at a URL into a part.

    ``version`` is of the file whose beginning the part holds already. A request for the rest is made with
    Range and If-Range (RFC 9110 13.1.5, 14.2), so that another file's rest cannot come behind it.
    """

    def __init__(
        self,
        network: Network,
        url: SourceUrl,
        part: Part,
        listener: Listener,
        halt: Pause,
        patience: Patience,
        limit: int,
    ) -> None:
        self._network = network
        self._url = url
        self._part = part
        self._listener = listener
        self._halt = halt
        self._patience = patience
        self._limit = limit
        self._version = Version()
        self._changes = 0
        self._farthest = 0
        self._why_anew = ""

    def run(self, version: Version) -> Version:
        """Fetch until the part is whole; what the server said of the file.

        Raises FetchError when it is not worth trying on, AddressError, HaltedError, and what the part and
        the listener raise.
        """
        self._version = version
        self._farthest = self._part.size
        ends = monotonic() + self._patience.total_seconds
        failures = 0
        with Client(self._network, self._halt.is_set) as client:
            while not self._is_whole():
                try:
                    self._attempt(client, max(ends - monotonic(), 1.0))
                except FetchError as error:
                    # Bytes that came before are no progress: a server that always cuts would be asked for ever.
                    failures = 0 if self._part.size > self._farthest else failures + 1
                    self._farthest = max(self._farthest, self._part.size)
                    # A server that never gave anything is soon given up: the name or the port is wrong.
                    retries = self._patience.retries if self._part.size else min(self._patience.retries, FIRST_RETRIES)
                    self._check_time(ends)
                    is_hopeless = not error.context.get("retry") or failures > retries
                    if is_hopeless and self._why_anew:
                        raise FetchError(
                            f"{error.message} It was started over before: {self._why_anew}.", **error.context
                        ) from error
                    if is_hopeless:
                        raise
                    self._pause(error, failures)
                self._check_time(ends)
        return self._version

    def _is_whole(self) -> bool:
        return 0 <= self._version.length == self._part.size

    def _attempt(self, client: Client, seconds: float) -> None:
        """One request: for the whole file, or for its rest."""
        if self._part.size and not self._version.condition:
            self._start_over("the server gives nothing to tell the file by (neither an ETag nor a date)")
        offset = self._part.size
        headers = [f"Range: bytes={offset}-", f"If-Range: {self._version.condition}"] if offset else []
        try:
            client.get(self._url, lambda answer: self._begin(answer, offset), self._take, headers, seconds, GATHERED)
        except _OtherFileError:
            self._change()
            return
        if self._version.length < 0:  # the end of the body is the file's, where the server never said how long it is
            self._know(Version(self._version.etag, self._version.modified, self._part.size))
        if self._part.size == offset and not self._is_whole():
            raise FetchError(f"{self._url.shown}: the server sends nothing more.", reason="cut", retry=True)

    def _begin(self, answer: Answer, offset: int) -> None:
        """Decide, before its body comes, what an answer is good for."""
        said = answer.version()
        if answer.status == 206 and offset:
            if answer.span is None or answer.span[0] != offset or self._version.differs(said):
                raise _OtherFileError
            if self._version.length < 0:
                self._know(Version(self._version.etag, self._version.modified, said.length))
        elif answer.status == 416 and offset:
            if said.length == offset:
                raise FetchError(
                    f"{self._url.shown}: the server announced {self._version.length} bytes and has {offset}. "
                    "The file may still be written there: try again later.",
                    reason="length",
                )
            raise _OtherFileError
        elif answer.status == 200:
            if offset and self._version.differs(said):
                self._change()
            elif offset:
                self._start_over("the server gives the file from its beginning only")
            self._check_limit(said.length)
            self._listener.begins(answer)
            self._know(said)
        else:
            raise status_failure(answer)

    def _take(self, data: bytes) -> None:
        self._check_limit(self._part.size + len(data))
        self._part.append(data)

    def _know(self, version: Version) -> None:
        self._version = version
        self._listener.keeps(version)

    def _start_over(self, reason: str) -> None:
        # First the bytes, then what they are of: after a crash between the two there is nothing, and not a mixture.
        self._part.restart()
        self._know(Version())
        self._why_anew = reason
        self._listener.starts_over(reason)

    def _change(self) -> None:
        self._changes += 1
        if self._changes > MAX_CHANGES:
            raise FetchError(
                f"{self._url.shown}: the file changes again and again while it is fetched. "
                "Use the address of one release, not of the latest.",
                reason="changing",
            )
        self._farthest = 0
        self._start_over("the file on the server changed")

    def _check_limit(self, size: int) -> None:
        if size > self._limit:
            raise FetchError(
                f"{self._url.shown}: the file is larger than {self._limit} bytes. "
                "Raise ISOBAY_MAX_ISO_BYTES to take it.",
                reason="too-large",
                limit=self._limit,
            )

    def _check_time(self, ends: float) -> None:
        if monotonic() >= ends:
            raise FetchError(
                f"{self._url.shown}: the fetch took longer than ISOBAY_FETCH_HOURS allows. "
                "Raise it, or use a nearer server.",
                reason="too-long",
            )

    def _pause(self, error: FetchError, failures: int) -> None:
        seconds = min(self._patience.first_seconds * 2 ** max(failures - 1, 0), MAX_PAUSE_SECONDS)
        seconds = max(seconds, min(float(error.context.get("retryAfter", 0)), MAX_PAUSE_SECONDS))
        self._listener.says(f"{error.message} Trying again in {seconds:g} s.")
        if self._halt.wait(seconds):
            raise HaltedError


class _OtherFileError(Exception):
    """What the server would send does not belong behind what is there."""
