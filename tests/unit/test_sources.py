"""The servers that the tests fetch from do what the tests believe they do."""

from __future__ import annotations

import random
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hostile_source import HostileSource, Page, hostile
from service import environment
from sources import CertificateAuthority, Fetch, Names, nginx

DATA = random.Random(1).randbytes(300_000)
RESOLVE = """
import sys, socket, pycurl
for line in sys.stdin:
    dialled = []
    def dial(purpose, address):
        dialled.append(address.addr[0])
        return pycurl.SOCKET_BAD
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, f"http://{line.strip()}/")
    curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
    curl.setopt(pycurl.OPENSOCKETFUNCTION, dial)
    try:
        curl.perform()
    except pycurl.error:
        pass
    print(*dialled, flush=True)
"""


@pytest.fixture
def source() -> Iterator[HostileSource]:
    """Run a hostile server."""
    with hostile() as running:
        yield running


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A client that asks for nothing by itself."""
    with httpx.Client(trust_env=False, headers={"Accept-Encoding": "identity"}, timeout=10) as running:
        yield running


def test_an_honest_page_gives_ranges(source: HostileSource, client: httpx.Client) -> None:
    """A page without faults answers whole, in part, and with 416, and the server counts what it did."""
    source.pages["/a"] = Page(DATA)
    whole = client.get(source.url("/a"))
    part = client.get(source.url("/a"), headers={"Range": "bytes=10-19", "If-Range": '"1"'})
    other = client.get(source.url("/a"), headers={"Range": "bytes=10-", "If-Range": '"2"'})
    beyond = client.get(source.url("/a"), headers={"Range": f"bytes={len(DATA)}-"})
    assert (whole.status_code, whole.content, whole.headers["ETag"]) == (200, DATA, '"1"')
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, DATA[10:20], "bytes 10-19/300000")
    assert (other.status_code, other.content) == (200, DATA)
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */300000")
    assert [(request.status, request.sent) for request in source.requests] == [
        (200, 300_000),
        (206, 10),
        (200, 300_000),
        (416, 0),
    ]
    assert source.connections == 1
    assert client.get(source.url("/b")).status_code == 404


def test_a_page_that_changes_while_it_is_fetched(source: HostileSource, client: httpx.Client) -> None:
    """After as many answers as asked for another page answers; one that ignores If-Range gives a part of it."""
    new = Page(DATA[::-1], etag='"2"', if_range=False)
    source.pages["/a"] = Page(DATA, cut_every=100_000, times=2, then=new)
    for start in (0, 100_000):
        with client.stream("GET", source.url("/a"), headers={"Range": f"bytes={start}-"}) as answer:
            pieces: list[bytes] = []
            with pytest.raises(httpx.RemoteProtocolError):
                pieces.extend(answer.iter_bytes())
        assert b"".join(pieces) == DATA[start : start + 100_000]
    answer = client.get(source.url("/a"), headers={"Range": "bytes=200000-", "If-Range": '"1"'})
    assert (answer.status_code, answer.headers["ETag"], answer.content) == (206, '"2"', DATA[::-1][200_000:])


@pytest.mark.parametrize(
    ("page", "error"),
    [
        (Page(DATA, length_lie=5), httpx.RemoteProtocolError),
        (Page(DATA, cut_every=1000, reset=True), httpx.ReadError),
        (Page(DATA, chunked=True, cut_every=1000), httpx.RemoteProtocolError),
        (Page(endless=True, cut_every=1 << 20), httpx.RemoteProtocolError),
    ],
)
def test_an_answer_that_breaks_off(
    source: HostileSource, client: httpx.Client, page: Page, error: type[Exception]
) -> None:
    """An answer that is cut, reset, or shorter than it said is an error to a client."""
    source.pages["/a"] = page
    with pytest.raises(error):
        client.get(source.url("/a"))


def test_a_stalled_answer_waits_for_the_test(source: HostileSource, client: httpx.Client) -> None:
    """Nothing comes after the stall until it is released; then the rest does."""
    source.pages["/a"] = page = Page(DATA, stall_after=1000)
    with client.stream("GET", source.url("/a")) as answer:
        pieces = answer.iter_bytes(1000)
        assert next(pieces) == DATA[:1000]
        assert page.stalled.wait(10)
        assert source.requests[0].sent == 1000
        page.released.set()
        assert b"".join(pieces) == DATA[1000:]


@pytest.mark.parametrize("page", [Page(DATA, stall_after=-1), Page(DATA, stall_after=9), Page(endless=True)])
def test_the_end_of_the_test_ends_every_answer(page: Page) -> None:
    """Answers that wait, or never end, do not hold the server back from its end."""
    with hostile() as source:
        source.pages["/a"] = page
        with socket.create_connection((source.address, source.port)) as waiting:
            waiting.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            if page.endless:
                assert waiting.recv(1)
            else:
                assert page.stalled.wait(10)


def test_logins_redirects_and_compression(source: HostileSource, client: httpx.Client) -> None:
    """A page can ask for a login, lead on a chain of redirects, and come compressed, without validators."""
    source.chain("/start", 3, "/a")
    source.pages["/a"] = Page(DATA, login=("u", "p:ä"), compressed=True, etag="")
    assert client.get(source.url("/a")).status_code == 401
    assert client.get(source.url("/a"), auth=("u", "p")).status_code == 401
    answer = client.get(source.url("/start"), auth=("u", "p:ä"), follow_redirects=True)
    assert (answer.content, answer.headers["Content-Encoding"], "ETag" in answer.headers) == (DATA, "gzip", False)
    assert [request.target for request in source.requests[2:]] == ["/start", "/start-1", "/start-2", "/a"]


def test_what_fails_in_the_server_fails_the_test(client: httpx.Client) -> None:
    """A page that cannot be answered is not taken for a server that breaks off."""

    def ask() -> None:
        with hostile() as source:
            source.pages["/a"] = Page(data="no bytes", compressed=True)  # type: ignore[arg-type]
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(source.url("/a"))

    with pytest.raises(TypeError):
        ask()


def test_nginx_serves_and_tells(tmp_path: Path) -> None:
    """nginx gives ranges by http and https behind a login, and its log has every request that ended."""
    (tmp_path / "a.iso").write_bytes(DATA)
    authority = CertificateAuthority(tmp_path)
    trusted = ssl.create_default_context(cafile=authority.file)
    with (
        nginx(tmp_path, authority.issue(), login=("u", "p:1")) as server,
        httpx.Client(verify=trusted, auth=("u", "p:1"), trust_env=False) as client,
    ):
        part = client.get(server.secure_url("/a.iso"), headers={"Range": "bytes=5-"})
        refused = client.get(server.url("/a.iso"), auth=("u", "p"))
        assert (part.status_code, part.content, refused.status_code) == (206, DATA[5:], 401)
        first, second = server.fetches()
        assert first == Fetch("GET", "/a.iso", "bytes=5-", 206, len(DATA) - 5)
        assert second.status == 401
        assert server.connections() == 2


@pytest.mark.parametrize(("names", "expired"), [(("elsewhere.test",), False), (("127.0.0.1",), True)])
def test_bad_certificates_are_refused(tmp_path: Path, names: tuple[str, ...], expired: bool) -> None:
    """A certificate for another name, or of yesterday, is refused by a client that trusts the authority."""
    authority = CertificateAuthority(tmp_path)
    trusted = ssl.create_default_context(cafile=authority.file)
    with hostile(tls=authority.issue(*names, expired=expired)) as source:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(source.url("/"), verify=trusted, trust_env=False)
        assert (source.connections, source.requests) == (1, [])


def test_names_lead_libcurl_where_the_test_says(tmp_path: Path) -> None:
    """A name has several addresses, in order, and other ones at the next look-up; a name without any is unknown."""
    names = Names(tmp_path)
    names.lead({"a.test": ["127.0.0.2", "127.0.0.1", "::1"]})
    child = subprocess.Popen(
        [sys.executable, "-c", RESOLVE],
        env=environment(**names.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    with child:
        assert child.stdin
        assert child.stdout

        def dialled(name: str) -> list[str]:
            child.stdin.write(f"{name}\n")
            return child.stdout.readline().split()

        assert sorted(dialled("a.test")) == ["127.0.0.1", "127.0.0.2", "::1"]
        names.lead({"a.test": ["127.0.0.3"], "b.test": ["127.0.0.4"]})
        assert (dialled("a.test"), dialled("b.test")) == (["127.0.0.3"], ["127.0.0.4"])
        names.lead({})
        assert dialled("a.test") == []
        child.stdin.close()
