"""A web server that does to those who fetch from it what the worst of the world's servers do.

    with hostile() as source:
        source.pages["/a.iso"] = Page(data, cut_every=1 << 20, times=3, then=Page(other, etag='"2"'))
        … fetch source.url("/a.iso") …
        assert [request.status for request in source.requests] == [200, 206, 206, 200]

Each ``Page`` is honest but for what its fields say, and they go together as they like.
"""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import struct
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from socketserver import TCPServer, ThreadingMixIn
from threading import Event, Lock, Thread
from typing import Any

from sources import Certificate

PIECE = 64 << 10
LOOK_SECONDS = 0.05  # how soon a stalled answer notices that the server is closed


@dataclass
class Page:
    """What a path answers to GET and HEAD."""

    data: bytes = b""
    status: int = 200  # another one than 200 comes with ``data`` as its body, and without ranges
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)  # they replace what would be there
    etag: str = '"1"'  # W/"1" is a weak one, an empty one is left out
    last_modified: str = ""
    ranges: bool = True
    if_range: bool = True  # False: a range of whatever is there now, whatever the client has so far
    login: tuple[str, str] | None = None  # Basic; without it 401
    compressed: bool = False  # Content-Encoding: gzip
    chunked: bool = False
    endless: bool = False  # zeros without end, chunked, instead of ``data``
    length_lie: int = 0  # added to Content-Length
    cut_every: int = 0  # the connection is closed after as many bytes of a body
    reset: bool = False  # it is closed with a TCP reset
    stall_after: int | None = None  # after as many bytes nothing comes until ``released``; -1: not even the head
    times: int = 0  # after as many answers ``then`` takes the place
    then: Page | None = None
    stalled: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)
    answered: int = 0

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Page:
        """Lead to any text."""
        return cls(status=status, headers={"Location": location}, etag="")


@dataclass
class Request:
    """What came and what was answered: ``headers`` by lower-case names, ``sent`` bytes of the body given away."""

    method: str
    target: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0


class HostileSource:
    """The running server: ``pages`` may be changed at any time; other paths are 404."""

    def __init__(self, server: _Server, scheme: str) -> None:
        self._server = server
        self._scheme = scheme
        self.address, self.port = server.server_address[:2]
        self.pages: dict[str, Page] = {}
        self.requests: list[Request] = []

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted."""
        return self._server.accepted

    def url(self, path: str, host: str = "") -> str:
        """The URL of a path, by the address or by a name that leads here."""
        return f"{self._scheme}://{host or self.address}:{self.port}{path}"

    def chain(self, path: str, hops: int, location: str) -> None:
        """Let as many redirects lead from the path to the location."""
        steps = [path, *(f"{path}-{number}" for number in range(1, hops)), location]
        for here, there in pairwise(steps):
            self.pages[here] = Page.redirect(there)

    def take(self, path: str) -> Page:
        """The page for the next answer of a path."""
        with self._server.lock:
            page = self.pages.get(path)
            if page is None:
                return Page(b"There is nothing here.", status=404, content_type="text/plain", etag="")
            page.answered += 1
            if page.then and page.answered == page.times:
                self.pages[path] = page.then
            return page


@contextmanager
def hostile(address: str = "127.0.0.1", port: int = 0, tls: Certificate | None = None) -> Iterator[HostileSource]:
    """Run the server, on a free port where none is given. What fails inside it fails the test at the end."""
    with _Server((address, port), tls) as server:
        server.source = HostileSource(server, "https" if tls else "http")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": LOOK_SECONDS})
        thread.start()
        try:
            yield server.source
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()
    # Its threads have ended here.
    if server.failures:
        raise server.failures[0]


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    request_queue_size = 64
    source: HostileSource

    def __init__(self, address: tuple[str, int], tls: Certificate | None) -> None:
        super().__init__(address, _Handler)
        self.context = tls.context() if tls else None
        self.lock = Lock()
        self.accepted = 0
        self.closing = Event()
        self.live: set[socket.socket] = set()
        self.failures: list[BaseException] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        self.accepted += 1
        return super().get_request()

    def shutdown_request(self, request: socket.socket) -> None:
        request.close()  # without the FIN of a shutdown first, so that a reset is one

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        error = sys.exc_info()[1]
        # Clients hang up and refuse certificates: that is what the tests are about.
        if error and not isinstance(error, OSError):
            self.failures.append(error)

    def hang_up(self) -> None:
        """End all answers, so that their threads end."""
        self.closing.set()
        with self.lock:
            for connection in self.live:
                with suppress(OSError):  # the client was faster
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)  # TLS has nothing to say any more


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        context = self.server.context
        if context:
            self.request = context.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
        with self.server.lock:
            self.server.live.add(self.request)
        super().setup()

    def handle(self) -> None:
        if self.server.closing.is_set():
            return
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()
        super().handle()

    def finish(self) -> None:
        super().finish()
        with self.server.lock:
            self.server.live.remove(self.connection)
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests read ``requests``."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        source = self.server.source
        page = source.take(self.path.partition("?")[0])
        request = Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
        source.requests.append(request)
        if page.login and request.headers.get("authorization") != _basic(*page.login):
            page = Page(status=401, headers={"WWW-Authenticate": 'Basic realm="images"'}, etag="")
        if page.stall_after == -1:
            self._stall(page)
        request.status, headers, body = _answer(page, request.headers)
        self.send_response(request.status)
        for name, value in {**headers, **page.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send(page, request, body)

    def _send(self, page: Page, request: Request, body: bytes) -> None:
        chunked = page.chunked or page.endless
        size = sys.maxsize if page.endless else len(body)
        end = min(page.cut_every, size) if page.cut_every else size
        here = 0
        while here < end:
            if here == page.stall_after:
                self._stall(page)
            if self.server.closing.is_set():
                return
            there = min(here + PIECE, end)
            if page.stall_after is not None and here < page.stall_after:
                there = min(there, page.stall_after)
            piece = bytes(there - here) if page.endless else body[here:there]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            request.sent += len(piece)
            here = there
        if end < size or page.length_lie:
            self._close(page)
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _close(self, page: Page) -> None:
        self.close_connection = True
        if page.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _stall(self, page: Page) -> None:
        page.stalled.set()
        while not (page.released.wait(LOOK_SECONDS) or self.server.closing.is_set()):
            pass


def _answer(page: Page, asked: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body (RFC 9110 13.1.5, 14)."""
    status, body = page.status, page.data
    headers = {"Content-Type": page.content_type, "ETag": page.etag, "Last-Modified": page.last_modified}
    if page.compressed:
        body = gzip.compress(body)
        headers["Content-Encoding"] = "gzip"
    elif page.ranges and status == 200 and not page.endless:
        headers["Accept-Ranges"] = "bytes"
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.get("range", ""))
        if found and found[0] != "bytes=-" and _is_same(page, asked.get("if-range")):
            size = len(body)
            start = int(found[1]) if found[1] else max(0, size - int(found[2]))
            end = min(int(found[2]) + 1, size) if found[1] and found[2] else size
            if start < end:
                status, body = 206, body[start:end]
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
            else:
                status, body = 416, b""
                headers["Content-Range"] = f"bytes */{size}"
    if page.chunked or page.endless:
        headers["Transfer-Encoding"] = "chunked"
    else:
        headers["Content-Length"] = str(len(body) + page.length_lie)
    return status, {name: value for name, value in headers.items() if value}, body


def _is_same(page: Page, if_range: str | None) -> bool:
    if if_range is None or not page.if_range:
        return True
    strong = page.etag if not page.etag.startswith("W/") else ""
    return if_range in {value for value in (strong, page.last_modified) if value}


def _basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()
