"""HTTP by libcurl: one request at a time, redirects followed by hand, every address judged as it is dialled."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Self

import pycurl

from isobay.errors import AddressError, FetchError, InvalidFieldsError
from isobay.transfer.answers import Answer, Hop, add_line, network_failure
from isobay.transfer.curl import Handle
from isobay.transfer.network import Network
from isobay.transfer.url import SourceUrl

MAX_REDIRECTS = 5
MAX_REDIRECT_BODY = 1 << 20
GATHERED_SECONDS = 0.25
_SUPPRESS_CONNECT_HEADERS = 265  # curl.h's number: pycurl has no name for it
REDIRECTS = frozenset({301, 302, 303, 307, 308})

OnAnswer = Callable[[Answer], None]
OnData = Callable[[bytes], None]


class HaltedError(Exception):
    """The caller said to stop."""


class Client:
    """Asks servers. A connection is kept for the next request. Not for use by two threads at once.

    ``max_requests`` bounds all it asks, redirects too; 0 is no bound. ``hops`` are the redirects of the last ``get``.
    """

    def __init__(self, network: Network, halted: Callable[[], bool] = lambda: False, max_requests: int = 0) -> None:
        self._network = network
        self._halted = halted
        self._max_requests = max_requests
        self.hops: list[Hop] = []
        self._handle = Handle(network.ca_file, network.stall_seconds)
        self._curl = self._handle.options
        self._refused: list[AddressError] = []
        self._host = ""
        self._connected_to = ""
        self._dialled: list[socket.socket] = []
        self.requests = 0
        self.received = 0
        self._prepare()

    def close(self) -> None:
        """Close the connection."""
        self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(
        self,
        url: SourceUrl,
        on_answer: OnAnswer,
        on_data: OnData,
        headers: Iterable[str] = (),
        seconds: float = 0,
        gathered: int = 0,
    ) -> Answer:
        """Ask for a URL, following redirects; each hop is checked like the first.

        ``on_answer`` is given the last answer before its body comes, ``on_data`` its body in pieces: as they come,
        or of ``gathered`` bytes where it comes quickly. What they raise ends the request and is raised.
        ``seconds`` bounds each hop; 0 is no bound.
        Raises AddressError where the guard refuses, FetchError for the network, HaltedError when halted.
        """
        hops = self.hops = []
        while True:
            reader = _Reader(url, tuple(hops), on_answer, on_data, lambda: self._connected_to, gathered)
            answer = self._request(url, reader, headers, seconds)
            location = answer.header("location")
            if answer.status not in REDIRECTS or not location:
                return answer
            if len(hops) == MAX_REDIRECTS:
                raise FetchError(
                    f"{hops[0].url.shown} redirects more than {MAX_REDIRECTS} times, at last to {url.shown}. "
                    "Use the address that the file really has.",
                    reason="redirects",
                )
            hops.append(Hop(url, answer.status, answer.address))
            url = _next(url, location)

    def _request(self, url: SourceUrl, reader: _Reader, headers: Iterable[str], seconds: float) -> Answer:
        if self._max_requests and self.requests >= self._max_requests:
            raise FetchError(
                f"{url.shown}: it was not asked, because more requests were made than a look from afar may cost.",
                reason="budget",
            )
        self._guard_behind_proxy(url)
        curl, calling = self._curl, self._handle.calling
        self._refused.clear()
        self._host = url.host
        curl.setopt(pycurl.URL, url.request)
        curl.unsetopt(pycurl.HTTPHEADER)  # an empty list would leave the last request's, its Range too
        curl.setopt(pycurl.HTTPHEADER, list(headers))
        self._log_in(url)
        curl.setopt(pycurl.TIMEOUT_MS, int(seconds * 1000))
        curl.setopt(pycurl.HEADERFUNCTION, calling(reader.header))
        curl.setopt(pycurl.WRITEFUNCTION, calling(reader.data))
        curl.setopt(pycurl.XFERINFOFUNCTION, calling(lambda *_: self._goes_on(reader)))
        self.requests += 1
        try:
            self._handle.perform()
        except pycurl.error as error:
            reader.pass_on()  # what came before a cut is as good as the rest
            self._explain(url, error)
        else:
            reader.pass_on()
        finally:
            self.received += reader.received
            for dialled in self._dialled:
                dialled.close()  # libcurl has a copy of its own
            self._dialled.clear()
        reader.end()
        assert reader.answer  # noqa: S101 -- end() makes it, for the type checker
        return reader.answer

    def _prepare(self) -> None:
        curl, network = self._curl, self._network
        curl.setopt(pycurl.PROXY, network.proxy)  # an empty one keeps libcurl from the environment's
        curl.setopt(pycurl.NOPROXY, "")
        curl.setopt(_SUPPRESS_CONNECT_HEADERS, 1)  # the head of a tunnel is not that of the file
        curl.setopt(pycurl.NOPROGRESS, 0)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._dial)
        curl.setopt(pycurl.PREREQFUNCTION, self._connected)
        if network.netrc_file:
            curl.setopt(pycurl.NETRC_FILE, network.netrc_file)

    def _log_in(self, url: SourceUrl) -> None:
        curl = self._curl
        given = url.username is not None
        # Without a login in the URL the one of the settings' file for this host counts, if there is one.
        curl.setopt(
            pycurl.NETRC, pycurl.NETRC_IGNORED if given or not self._network.netrc_file else pycurl.NETRC_OPTIONAL
        )
        if given:
            curl.setopt(pycurl.HTTPAUTH, pycurl.HTTPAUTH_BASIC)
            curl.setopt(pycurl.USERNAME, url.username)
            curl.setopt(pycurl.PASSWORD, url.password)
        else:
            curl.unsetopt(pycurl.USERNAME)
            curl.unsetopt(pycurl.PASSWORD)

    def _dial(self, _purpose: int, address: Any) -> socket.socket | int:
        # With a proxy this is the proxy's address, which the settings name themselves.
        if not self._network.proxy:
            try:
                self._network.guard.check(address.addr[0], self._host)
            except AddressError as error:
                self._refused.append(error)
                return int(pycurl.SOCKET_BAD)
        dialled = socket.socket(address.family, address.socktype, address.protocol)
        self._dialled.append(dialled)
        return dialled

    def _connected(self, address: str, *_: object) -> int:
        self._connected_to = address
        return int(pycurl.PREREQFUNC_OK)

    def _guard_behind_proxy(self, url: SourceUrl) -> None:
        """Judge what the proxy would dial, as far as it can be known from here."""
        if not self._network.proxy:
            return
        try:
            found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
        except OSError:
            return  # only the proxy knows the name
        for entry in found:
            self._network.guard.check(str(entry[4][0]), url.host)

    def _goes_on(self, reader: _Reader) -> int:
        """Called by libcurl all the time, and at least once a second: 0 lets it go on."""
        if reader.is_due():
            reader.pass_on()
        return int(self._halted())

    def _explain(self, url: SourceUrl, error: pycurl.error) -> None:
        code = int(error.args[0])
        if code == pycurl.E_ABORTED_BY_CALLBACK:
            raise HaltedError from error
        if code == pycurl.E_COULDNT_CONNECT and self._refused and not self._dialled:
            raise self._refused[0]
        raise network_failure(url, error) from error


def _next(url: SourceUrl, location: str) -> SourceUrl:
    try:
        return url.joined(location)
    except InvalidFieldsError as error:
        raise FetchError(f"{url.shown} {error.context['fields']['url']}.", reason="redirects") from error


class _Reader:
    """Reads one answer: its head, then its body."""

    def __init__(
        self,
        url: SourceUrl,
        hops: tuple[Hop, ...],
        on_answer: OnAnswer,
        on_data: OnData,
        peer: Callable[[], str],
        gathered: int,
    ) -> None:
        self._url = url
        self._hops = hops
        self._on_answer = on_answer
        self._on_data = on_data
        self._peer = peer
        self._gathered = gathered
        self._pieces: list[bytes] = []
        self._held = 0
        self._passed_on = monotonic()
        self._lines: list[str] = []
        self.answer: Answer | None = None
        self.received = 0

    def header(self, line: bytes) -> None:
        if self.answer:
            return  # a trailer
        if add_line(self._lines, line):
            answer = Answer.read(self._url, self._hops, self._peer(), self._lines)
            if answer.status >= 200:
                self.answer = answer
                if not self._redirects():
                    self._on_answer(answer)  # at once: a body that is not wanted is not waited for

    def data(self, data: bytes) -> None:
        self.received += len(data)
        if self._redirects():
            if self.received > MAX_REDIRECT_BODY:
                raise FetchError(
                    f"{self._url.shown} redirects and goes on to send. Use the address it redirects to.",
                    reason="protocol",
                )
            return
        self._pieces.append(data)
        self._held += len(data)
        if self._held >= self._gathered:
            self.pass_on()

    def is_due(self) -> bool:
        """Whether what is held was held for long enough."""
        return self._held > 0 and monotonic() - self._passed_on > GATHERED_SECONDS

    def pass_on(self) -> None:
        """Give on what is held."""
        pieces, self._pieces, self._held = self._pieces, [], 0
        self._passed_on = monotonic()
        if pieces:
            self._on_data(b"".join(pieces))

    def end(self) -> None:
        if self.answer is None:
            raise FetchError(
                f"{self._url.shown} gave no answer of HTTP. Check that a web server listens there.", reason="protocol"
            )

    def _redirects(self) -> bool:
        return bool(self.answer and self.answer.status in REDIRECTS and self.answer.header("location"))
