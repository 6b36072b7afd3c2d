"""Screens: a real VNC server, and WebSockets to it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from servers import leave_out

VERSION = b"RFB 003.008\n"  # RFC 6143, 7.1.1
FIRST_VNC_PORT = 5900
WAIT = 30


class Qemu:
    """A QEMU without a guest's system, which shows its screen by VNC."""

    def __init__(self, program: str, port: int) -> None:
        self.port = port
        where = f"127.0.0.1:{port - FIRST_VNC_PORT}"
        command = [program, "-display", "none", "-vnc", where, "-m", "16", "-S", "-accel", "tcg", "-nodefaults"]
        self.process = subprocess.Popen([*command, "-vga", "std"])
        deadline = time.monotonic() + WAIT
        while not _answers(port):
            assert self.process.poll() is None, "QEMU ended"
            assert time.monotonic() < deadline, "QEMU does not listen"

    def end(self) -> None:
        """Pull its plug."""
        self.process.kill()
        self.process.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as tried:
            return tried.recv(len(VERSION)) == VERSION
    except OSError:
        return False


@contextmanager
def qemu(port: int) -> Iterator[Qemu]:
    """Run QEMU, whose VNC server listens on a port."""
    program = shutil.which("qemu-system-x86_64")
    if program is None:
        leave_out("QEMU is not installed: install Debian's package qemu-system-x86")
    running = Qemu(program, port)
    try:
        yield running
    finally:
        running.end()


@contextmanager
def opened(url: str, **options: Any) -> Iterator[ClientConnection]:
    """Open a WebSocket through which the VNC server tells its version."""
    with connect(url, **options) as console:
        assert console.recv(WAIT) == VERSION
        yield console


def refusal(url: str, **options: Any) -> httpx.Response:
    """The answer to a WebSocket that is not opened."""
    with ExitStack() as stack, pytest.raises(InvalidStatus) as caught:
        stack.enter_context(connect(url, **options))
    answer = caught.value.response
    return httpx.Response(answer.status_code, content=bytes(answer.body))


def end_of(console: ClientConnection) -> tuple[int | None, str | None]:
    """The code and the reason with which the service closes it, when it does."""
    with suppress(ConnectionClosed):
        while True:
            console.recv(WAIT)
    return console.close_code, console.close_reason
