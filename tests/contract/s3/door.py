"""A door before an S3 server: it counts what passes, and can be shut, at a moment that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

CHUNK = 1 << 18
WAIT_SECONDS = 30


@dataclass(frozen=True)
class Passed:
    """A request that went through, and how many bytes of a body came back."""

    method: str
    path: str
    size: int


class Door:
    """Stands at ``endpoint``. ``watch`` is told of each request before it passes, and may end this or that."""

    def __init__(self, behind: str) -> None:
        self._address = urlsplit(behind).netloc
        self._lock = Lock()
        self.passed: list[Passed] = []
        self.is_shut = False
        self.most = 1 << 40  # bytes of a body that comes back, behind which the connection breaks
        self.watch: Callable[[str, str], None] = lambda _method, _path: None
        self.endpoint = ""

    @contextmanager
    def standing(self) -> Iterator[Door]:
        """Stand there until the end of the block."""
        handler = type("Handler", (_Handler,), {"door": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            self.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        """Ask the server, and answer as it does."""
        self.watch(handler.command, handler.path)
        if self.is_shut:
            handler.close_connection = True
            return
        size = int(handler.headers.get("Content-Length", 0))
        connection = HTTPConnection(self._address, timeout=WAIT_SECONDS)
        try:
            # The header Host stays: it is signed.
            connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders()
            while size:
                piece = handler.rfile.read(min(size, CHUNK))
                if not piece:
                    return
                connection.send(piece)
                size -= len(piece)
            self._answer(handler, connection)
        finally:
            connection.close()

    def _answer(self, handler: BaseHTTPRequestHandler, connection: HTTPConnection) -> None:
        answer = connection.getresponse()
        length = answer.getheader("Content-Length")
        body = b"" if length else answer.read()
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "date", "server", "content-length"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", length or str(len(body)))
        handler.end_headers()
        sent = len(body)
        handler.wfile.write(body)
        while length and handler.command != "HEAD" and (piece := answer.read(CHUNK)):
            handler.wfile.write(piece)
            sent += len(piece)
            if sent >= self.most:
                handler.close_connection = True
                break
        with self._lock:
            self.passed.append(Passed(handler.command, handler.path, sent))


class _Handler(BaseHTTPRequestHandler):
    door: Door
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        try:
            self.door.pass_on(self)
        except OSError:
            self.close_connection = True  # one of the two went away

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 -- the library's names

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 -- the library's name
        """Say nothing."""
