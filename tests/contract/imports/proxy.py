"""A web proxy as small as one can be: absolute-form for http, CONNECT for https (RFC 9110 9.3.6, RFC 9112 3.2.2)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from select import select
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

PIECE = 64 << 10
ANSWER_SECONDS = 30


class Proxy(ThreadingHTTPServer):
    """A proxy on a free port of 127.0.0.1; ``asked`` has the method and the target of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who asks may hang up."""


@contextmanager
def proxy() -> Iterator[Proxy]:
    """Run the proxy."""
    with Proxy() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    timeout = ANSWER_SECONDS

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests read ``asked``."""

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path))
        target = urlsplit(self.path)
        connection = HTTPConnection(target.hostname or "", target.port or 80, timeout=ANSWER_SECONDS)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        connection.request("GET", target.path or "/", headers=headers)
        answer = connection.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        while data := answer.read(PIECE):
            self.wfile.write(data)
        connection.close()

    def do_CONNECT(self) -> None:
        self.server.asked.append((self.command, self.path))
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS) as there:
            self.send_response(200, "Connection established")
            self.end_headers()
            ways = {self.connection: there, there: self.connection}
            while True:
                for ready in select(list(ways), [], [], ANSWER_SECONDS)[0]:
                    data = ready.recv(PIECE)
                    if not data:
                        self.close_connection = True
                        return
                    ways[ready].sendall(data)
