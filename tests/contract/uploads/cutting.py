"""A way to the service that cuts connections, or stops to pass on what comes, as networks do."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from urllib.parse import urlsplit

PIECE = 1 << 16
_RESET = struct.pack("ii", 1, 0)


class Cutting:
    """Passes bytes to a service and back. ``sent`` is how many came from clients, ``cuts`` how often it cut."""

    def __init__(self, service: str, every: int, most: int, stop_after: int) -> None:
        self._target = urlsplit(service)
        self._every = every
        self.most = most
        self._stop_after = stop_after
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._over = Event()
        self._open: list[socket.socket] = []
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.sent = self.cuts = 0
        self.stopped = False

    def run(self) -> None:
        """Take connections until the end."""
        threads = []
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threads.append(Thread(target=self._pass, args=(client,)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def end(self) -> None:
        """Take no more."""
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:  # clients keep connections for later
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _pass(self, client: socket.socket) -> None:
        server = socket.create_connection((self._target.hostname, self._target.port))
        self._open += [client, server]
        back = Thread(target=_copy, args=(server, client))
        back.start()
        passed = 0
        with suppress(OSError):
            while data := client.recv(PIECE):
                self.sent += len(data)
                passed += len(data)
                server.sendall(data)
                if self._stop_after and self.sent >= self._stop_after:
                    self.stopped = True
                    self._over.wait()
                if self.cuts < self.most and passed >= self._every:
                    self.cuts += 1
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    break
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        back.join()
        client.close()
        server.close()


@contextmanager
def cutting(service: str, every: int = 0, most: int = 0, stop_after: int = 0) -> Iterator[Cutting]:
    """Stand between clients and a service.

    The first ``most`` connections that bring ``every`` bytes are cut then; after ``stop_after`` bytes in all
    nothing more passes until the end of the block.
    """
    between = Cutting(service, every, most, stop_after)
    thread = Thread(target=between.run)
    thread.start()
    try:
        yield between
    finally:
        between.end()
        thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(PIECE):
            target.sendall(data)
