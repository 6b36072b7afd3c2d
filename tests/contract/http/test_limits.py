"""Bounds on requests: how many a minute, how large their heads may be, and how slowly they may come."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from isobay.http.limits import Rate, neighbourhood
from service import KEY, SEED, Service, serving

HEAD = f"GET {SEED}/zones HTTP/1.1\r\nHost: isobay\r\nMC-Api-Key: {KEY}\r\n".encode()
MOST = 4096


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that waits two seconds, for four KiB at most."""
    limits = {"ISOBAY_REQUEST_SECONDS": "2", "ISOBAY_MAX_HEAD_BYTES": str(MOST)}
    with serving(tmp_path_factory.mktemp("data"), **limits) as running:
        yield running


def _connected(service: Service) -> socket.socket:
    host, port = service.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def _rest(connection: socket.socket) -> bytes:
    """All that comes until the service closes the connection."""
    said = b""
    while piece := connection.recv(65536):
        said += piece
    return said


def _told(said: bytes) -> tuple[int, int]:
    """The status and the code of an answer that is an error."""
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["errors"][0]["code"]


@pytest.mark.parametrize("of", ["key", "address"])
def test_more_requests_than_a_minutes_are_refused_until_later(tmp_path, of):
    """429 says which limit it was and how long to wait; another key is not concerned by a key's limit."""
    with serving(tmp_path, **{f"ISOBAY_REQUESTS_PER_MINUTE_{of.upper()}": "6"}) as service:
        with service.behind.catalog.reading() as tx:
            area = service.behind.catalog.environments.all(tx)[0].id
        other = service.new_key("viewer", area)
        statuses = [service.client().get(f"{SEED}/zones").status_code for _ in range(5)]
        said = service.client().get(f"{SEED}/zones")
        assert (statuses, said.status_code) == ([200] * 5, 429)
        error = said.json()["errors"][0]
        assert (error["code"], error["context"]["limit"], error["context"]["of"]) == (4004, 6, of)
        assert said.headers["retry-after"] == str(error["context"]["seconds"])
        assert 1 <= error["context"]["seconds"] <= 10
        assert f"ISOBAY_REQUESTS_PER_MINUTE_{of.upper()}" in error["message"]
        assert service.client(other).get(f"{SEED}/zones").status_code == (200 if of == "key" else 429)
        assert httpx.get(f"{service.address}/healthz").status_code == 200
        counted = httpx.get(f"{service.address}/metrics")
        assert counted.status_code == (200 if of == "key" else 429)


def test_a_bucket_fills_again_evenly():
    """A minute's worth at once, then one whenever its part of the minute is over; what is refused costs nothing."""
    rate = Rate(60)
    assert [rate.wait("a", 1000.0) for _ in range(60)] == [0.0] * 60
    assert [round(rate.wait("a", 1000.0), 3) for _ in range(3)] == [1.0] * 3
    assert rate.wait("a", 1000.5) == pytest.approx(0.5)
    assert [rate.wait("a", 1002.0) > 0 for _ in range(3)] == [False, False, True]
    assert rate.wait("b", 1002.0) == 0.0
    assert [rate.wait("a", 5000.0) > 0 for _ in range(61)] == [False] * 60 + [True]


def test_callers_are_forgotten_before_they_are_too_many():
    """The table has a bound; whoever asked last stays in it."""
    rate = Rate(1, callers_kept=2)
    assert [rate.wait(caller, 0.0) for caller in "abab"] == [0.0, 0.0, 60.0, 60.0]
    assert [rate.wait(caller, 0.0) for caller in "ca"] == [0.0, 0.0]
    assert rate.wait("c", 0.0) == 60.0


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("no:address", "no:address"),
    ],
)
def test_what_counts_as_one_address(address, counted_as):
    """Of IPv6 the network that one customer has."""
    assert neighbourhood(address) == counted_as


@pytest.mark.parametrize(
    "more",
    [b"X-Long: " + b"x" * MOST, b"X: y\r\n" * 2000, b"X-" + b"n" * 300_000 + b": 1"],
    ids=["a long value", "many headers", "a long name"],
)
def test_a_head_over_the_limit_is_refused(strict, more):
    """431 with the setting's name, also where it would never end; a head that fits is answered."""
    with closing(_connected(strict)) as connection:
        connection.sendall(HEAD + more)
        said = _rest(connection)
    assert _told(said) == (431, 4031)
    assert b"ISOBAY_MAX_HEAD_BYTES" in said
    fits = b"X-Long: " + b"x" * (MOST - len(HEAD) - 12) + b"\r\n\r\n"
    assert len(HEAD + fits) == MOST
    with closing(_connected(strict)) as connection:
        connection.sendall(HEAD + fits)
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_head_of_exactly_one_byte_too_many_is_refused_in_words(strict):
    """The bound is met to the byte, however the bytes are cut."""
    head = HEAD + b"X-Long: " + b"x" * (MOST - len(HEAD) - 11) + b"\r\n\r\n"
    for cut in (1, MOST - 1, MOST):
        with closing(_connected(strict)) as connection:
            connection.sendall(head[:cut])
            connection.sendall(head[cut:])
            assert _told(_rest(connection)) == (431, 4031)


def test_several_requests_at_once_each_have_the_whole_bound(strict):
    """Heads that fit are answered, one after the other, though together they are larger than one may be."""
    one = HEAD + b"X-Long: " + b"x" * 3000 + b"\r\n\r\n"
    with closing(_connected(strict)) as connection:
        connection.sendall(one * 5 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert _rest(connection).count(b"HTTP/1.1 200") == 6


def test_trailers_over_the_limit_end_the_connection(strict):
    """What follows a chunked body is bounded as what precedes it is; a chunk larger than a head may be is taken."""
    head = HEAD.replace(b"GET", b"POST").replace(b"/zones", b"/isos") + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"4e20\r\n" + b" " * 0x4E20 + b"\r\n"
    with closing(_connected(strict)) as connection:
        connection.sendall(head + chunk + b"0\r\nTrailer: 1\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 400"
    with closing(_connected(strict)) as connection:
        try:
            connection.sendall(head + chunk + b"0\r\n")
            for _ in range(1000):
                connection.sendall(b"T: " + b"x" * 65536)
        except (BrokenPipeError, ConnectionResetError):
            return
    pytest.fail("64 MiB of trailers were taken")


@pytest.mark.parametrize("part", [HEAD, b"\r\n", b"G"], ids=["half a head", "an empty line", "one letter"])
def test_a_head_that_does_not_come_to_its_end_is_given_up(strict, part):
    """408, and the connection is closed; the same on one that was used before."""
    for first in (b"", HEAD + b"\r\n"):
        with closing(_connected(strict)) as connection:
            if first:
                connection.sendall(first)
                assert connection.recv(12) == b"HTTP/1.1 200"
            connection.sendall(part)
            said = _rest(connection)
        assert _told(said[said.rindex(b"HTTP/1.1") :]) == (408, 4008)


def test_who_asks_nothing_is_not_answered(strict):
    """A connection on which nothing comes is closed without a word."""
    with closing(_connected(strict)) as connection:
        assert _rest(connection) == b""


def test_a_body_that_does_not_come_to_its_end_is_given_up(strict):
    """408, and nothing is done."""
    head = f"POST /v1/environments HTTP/1.1\r\nHost: isobay\r\nMC-Api-Key: {KEY}\r\nContent-Length: 100\r\n\r\n"
    with closing(_connected(strict)) as connection:
        connection.sendall(head.encode() + b'{"name": "never"')
        said = _rest(connection)
    assert _told(said) == (408, 4008)
    assert b"ISOBAY_REQUEST_SECONDS" in said
    assert [each["name"] for each in strict.get("/v1/environments")] == ["test_area"]
