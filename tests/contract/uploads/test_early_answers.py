"""Answers that are there before all of the body is, to clients that send everything before they read."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from sender import MAX_ISO_BYTES, UPLOADS, Sender

from isobay.http.lingering import MOST_BYTES
from processes import until

ISOS = UPLOADS.replace("uploads", "isos")
PIECE = bytes(1 << 20)


def _send(connection: socket.socket, size: int, beginning: bytes = b"") -> None:
    connection.sendall(beginning)
    for _ in range((size - len(beginning)) // len(PIECE)):
        connection.sendall(PIECE)
    connection.sendall(bytes((size - len(beginning)) % len(PIECE)))


def _answer(connection: socket.socket) -> tuple[int, int]:
    """The status and the code, of an answer that came whole and says that it is the last."""
    said = b""
    while piece := connection.recv(65536):
        said += piece
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["errors"][0]["code"]


@pytest.mark.parametrize("connection_header", ["close", "keep-alive"])
@pytest.mark.parametrize(
    ("method", "target", "beginning", "told"),
    [
        ("PATCH", "", b"", (409, 2013)),
        ("PUT", f"{UPLOADS}/x.iso?a=b", b"", (400, 2001)),
        ("PUT", f"{UPLOADS}/x.iso", b"<html>", (400, 2101)),
    ],
    ids=["another offset", "bad parameter", "no image"],
)
def test_a_client_that_sends_before_it_reads_gets_its_refusal(
    sender: Sender, connection_header: str, method: str, target: str, beginning: bytes, told: tuple[int, int]
):
    """Whole, after a body far larger than what lies in between; nothing resets the connection."""
    target = target or sender.begun(MAX_ISO_BYTES)
    with sender.sending(target, 5, MAX_ISO_BYTES, method, Connection=connection_header) as connection:
        _send(connection, MAX_ISO_BYTES, beginning)
        assert _answer(connection) == told


def test_an_unread_body_is_no_further_request(sender: Sender):
    """What a refused body holds is never read as a request, and the connection ends with the refusal."""
    smuggled = b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n"
    with sender.sending(f"{UPLOADS}/x.iso?a=b", 0, len(smuggled) + 1, "PUT") as connection:
        connection.sendall(smuggled)
        assert _answer(connection) == (400, 2001)


def test_who_never_ends_is_not_heard_for_ever(sender: Sender):
    """After a bounded number of bytes the connection is closed for good."""
    sending = sender.sending(f"{UPLOADS}/x.iso?a=b", 0, 1 << 40, "PUT")
    with sending as connection, pytest.raises((BrokenPipeError, ConnectionResetError)):
        _send(connection, MOST_BYTES + (64 << 20))


def test_who_falls_silent_is_not_waited_for(sender: Sender):
    """A connection on which a refused client neither sends nor closes goes away."""
    with sender.sending(f"{UPLOADS}/x.iso?a=b", 0, 1 << 40, "PUT") as connection:
        assert _answer(connection) == (400, 2001)
        port = connection.getsockname()[1]
        assert _is_held(port)
        assert until(lambda: not _is_held(port))


def _is_held(port: int) -> bool:
    """Whether a process has the socket at the other end of the connection from a port (proc_pid_net(5), tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[2].endswith(f":{port:04X}") and row[9] != "0" for row in rows)
