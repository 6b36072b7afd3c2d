"""Consoles: tickets, and WebSockets that carry VNC between a caller and a real QEMU."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from following import ended, error_of
from screens import FIRST_VNC_PORT, VERSION, WAIT, Qemu, end_of, opened, qemu, refusal
from websockets.sync.client import connect

from hosted import hosted
from isobay.app import CONSOLES
from isobay.http.consoles import MESSAGE_BYTES
from isobay.http.protocol import HANDSHAKE_BYTES, HANDSHAKE_HEADERS
from isobay.transfer.sealing import load_secret
from isobay.transfer.tickets import SECONDS, Ticket, Tickets
from servers import free_port
from service import KEY, SEED, Service


class Consoles:
    """A service with an instance that runs."""

    def __init__(self, service: Service, image: Path) -> None:
        self.service = service
        iso = service.add(image)
        service.client().put(f"{SEED}/isos/{iso['id']}", json={"bootable": True})
        said = service.client().post(f"{SEED}/instances", json={"name": "shown", "isoId": iso["id"]}).json()
        assert ended(service, said["taskId"])["taskStatus"] == "SUCCESS"
        self.instance: str = said["data"]["id"]
        self.environment = service.behind.door.operate("test_area").place.environment_id

    def ask(self, key: str = KEY) -> httpx.Response:
        """Ask for a ticket."""
        return self.service.client(key).post(f"{SEED}/instances/{self.instance}?operation=getConsole")

    def url(self, key: str = KEY) -> str:
        """The URL of a ticket."""
        said = self.ask(key)
        assert said.status_code == 200, said.text
        return str(said.json()["data"]["url"])

    def signed(self, **fields: Any) -> str:
        """A URL with a ticket as the service itself would sign it."""
        settings = self.service.behind.settings
        whole = {
            "instance_id": self.instance,
            "environment_id": self.environment,
            "key_id": "",
            "expires": int(time.time()) + SECONDS,
            **fields,
        }
        token = Tickets(load_secret(settings.secret_key, settings.data_dir)).sign(Ticket(**whole))
        return f"{self.service.address.replace('http', 'ws')}/v1/consoles/{token}"


@pytest.fixture(scope="module")
def port() -> int:
    """Choose where the VNC server listens."""
    found = free_port()
    while found < FIRST_VNC_PORT:
        found = free_port()
    return found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, small_image: Path, port: int) -> Iterator[Consoles]:
    """Run a service whose instance shows what listens on the port."""
    with hosted(tmp_path_factory.mktemp("data"), port) as running:
        yield Consoles(running, small_image)


@pytest.fixture
def screen(port: int) -> Iterator[Qemu]:
    """Run QEMU on the port."""
    with qemu(port) as running:
        yield running


@pytest.mark.usefixtures("screen")
def test_a_console_carries_vnc_both_ways(here: Consoles):
    """As noVNC speaks it: the handshake of RFC 6143 up to the name of the screen, in binary messages."""
    with connect(here.url(), subprotocols=["binary"]) as console:
        assert console.subprotocol == "binary"
        assert console.recv(WAIT) == VERSION
        console.send(VERSION)
        assert console.recv(WAIT) == b"\x01\x01"  # one kind of security: none
        console.send(b"\x01")
        assert console.recv(WAIT) == b"\0\0\0\0"
        console.send(b"\x01")
        said = console.recv(WAIT)
        assert isinstance(said, bytes)
        assert said.endswith(b"QEMU")


@pytest.mark.usefixtures("screen")
def test_a_ticket_is_told_with_its_end_and_is_good_for_a_minute(here: Consoles):
    """The URL is the service's own; after a minute it opens nothing."""
    data = here.ask().json()["data"]
    assert data["url"].startswith(here.service.address.replace("http", "ws") + "/v1/consoles/")
    assert data.keys() == {"url", "expires"}
    with opened(here.signed()):
        pass
    assert error_of(refusal(here.signed(expires=int(time.time())))) == (404, 4001)


@pytest.mark.usefixtures("screen")
@pytest.mark.parametrize("key", ["viewer", "editor"])
def test_who_may_write_gets_a_ticket(here: Consoles, key: str):
    """A viewer sees screenshots, and has no keyboard."""
    secret = here.service.new_key(key, here.environment)
    said = here.ask(secret)
    assert said.status_code == (200 if key == "editor" else 403)
    if key == "editor":
        with opened(said.json()["data"]["url"]):
            pass


@pytest.mark.usefixtures("screen")
def test_what_is_no_ticket_opens_nothing(here: Consoles):
    """Changed, cut, of another instance, environment or key, a link to download: one answer for all, or a 401."""
    url = here.url()
    flipped = url[:-1] + ("A" if url[-1] != "A" else "B")
    other = "11111111-1111-4111-8111-111111111111"
    answers = [refusal(each) for each in (flipped, url[:-4], url + "AAAA", url[:-10] + "é" * 10)]
    assert {error_of(each) for each in answers} == {(404, 4001)}
    assert len({each.text for each in answers}) == 1
    assert error_of(refusal(here.signed(instance_id=other))) == (404, 4001)
    assert error_of(refusal(here.signed(environment_id=other))) == (404, 4001)
    assert error_of(refusal(here.signed(key_id=other))) == (401, 3001)
    assert error_of(refusal(here.service.address.replace("http", "ws") + "/v1/environments")) == (401, 3001)


@pytest.mark.usefixtures("screen")
def test_a_ticket_opens_no_more_than_its_key(here: Consoles):
    """A key that may not enter the environment, or may only read there, sees nothing by a ticket either."""
    elsewhere = here.service.new_environment("elsewhere")
    here.service.new_key("editor", elsewhere)
    here.service.new_key("viewer", here.environment)
    stranger, viewer = (each["id"] for each in here.service.get("/v1/api_keys")[-2:])
    assert error_of(refusal(here.signed(key_id=stranger))) == (404, 4001)
    assert error_of(refusal(here.signed(key_id=viewer))) == (403, 3002)
    assert error_of(refusal(here.signed(environment_id=elsewhere))) == (404, 4001)


@pytest.mark.usefixtures("screen")
def test_a_page_of_somebody_elses_opens_nothing(here: Consoles):
    """Browsers say where a page comes from: it has to be this host."""
    own = here.service.address
    with opened(here.url(), additional_headers={"Origin": own}):
        pass
    for origin in ("http://example.org", "null", f"{own}.example.org", "file://"):
        assert error_of(refusal(here.url(), additional_headers={"Origin": origin})) == (403, 3002)


def test_it_ends_when_the_guest_does(here: Consoles, screen: Qemu):
    """The caller is told so; and of a VNC server that is not there the ticket's holder is told too."""
    with opened(here.url()) as console:
        screen.end()
        assert end_of(console) == (1000, "The instance's console ended.")
    assert error_of(refusal(here.url())) == (503, 5002)


@pytest.mark.usefixtures("screen")
def test_it_ends_with_its_key(here: Consoles):
    """A key that is taken back sees nothing more after some seconds, and its tickets open nothing."""
    secret = here.service.new_key("editor", here.environment)
    key = next(each for each in reversed(here.service.get("/v1/api_keys")) if each["role"] == "editor")
    url = here.url(secret)
    with opened(url) as console:
        assert here.service.client().delete(f"/v1/api_keys/{key['id']}").status_code == 204
        assert end_of(console)[0] == 1008
    assert error_of(refusal(url)) == (401, 3001)


@pytest.mark.usefixtures("screen")
def test_messages_are_binary_and_bounded(here: Consoles):
    """Text ends a console, and so does a message that is too large; the largest that may be is taken."""
    with opened(here.url()) as console:
        console.send("text")
        assert end_of(console)[0] == 1003
    with opened(here.url()) as console:
        console.send(bytes(MESSAGE_BYTES + 1))
        assert end_of(console)[0] == 1009
    with opened(here.url()) as console:
        console.send(VERSION + bytes(MESSAGE_BYTES - len(VERSION)))
        said = console.recv(WAIT)
        assert isinstance(said, bytes)
        assert said.startswith(b"\x01\x01")  # the version was taken, and zeros are no choice of security


def test_what_asks_for_no_console_is_answered_as_if_it_had_not_asked(here: Consoles):
    """Other paths and methods do not become WebSockets; a ticket without one, or with too large a head, is told why."""
    url = here.signed().replace("ws", "http", 1)
    asking = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    assert here.service.client().get("/v1/environments", headers=asking).status_code == 200
    assert error_of(httpx.post(url, headers=asking)) == (405, 4002)
    assert error_of(httpx.get(url)) == (400, 2001)
    assert "Upgrade" in httpx.get(url).json()["errors"][0]["context"]["fields"]
    for headers in ({"X-Large": "a" * HANDSHAKE_BYTES}, {f"X-{number}": "a" for number in range(HANDSHAKE_HEADERS)}):
        assert error_of(httpx.get(url, headers={**asking, **headers})) == (400, 2001)
    assert httpx.get(url, headers={**asking, "Sec-WebSocket-Key": "no key"}).status_code == 400


def test_a_process_carries_so_many_and_no_more(here: Consoles, port: int):
    """One more is refused with 503 until another ends."""
    with socket.create_server(("127.0.0.1", port), backlog=CONSOLES * 2):
        url = here.url()
        with ExitStack() as stack:
            consoles = [stack.enter_context(connect(url)) for _ in range(CONSOLES)]
            assert error_of(refusal(url)) == (503, 5002)
        with connect(url):
            assert consoles


@pytest.mark.usefixtures("screen")
def test_silence_and_a_restart_end_it(tmp_path: Path, small_image: Path, port: int):
    """After the seconds of the setting, and when the service is told to end, which it does in good time."""
    with hosted(tmp_path, port, ISOBAY_CONSOLE_IDLE_SECONDS="2", ISOBAY_LOG_LEVEL="debug") as running:
        there = Consoles(running, small_image)
        with opened(there.url()) as console:
            assert end_of(console) == (1000, "Nothing happened for long.")
        with opened(there.url()) as console:
            running.process.terminate()
            assert end_of(console)[0] == 1012
        assert running.process.wait(WAIT) == 0


@pytest.mark.usefixtures("screen")
def test_no_ticket_gets_into_the_log(tmp_path: Path, small_image: Path, port: int, capfd: Any):
    """Neither of a console that opened, nor of one that was refused, at the most talkative level."""
    with hosted(tmp_path, port, ISOBAY_LOG_LEVEL="debug") as running:
        there = Consoles(running, small_image)
        url = there.url()
        with opened(url):
            pass
        refusal(url, additional_headers={"Origin": "http://example.org"})
        assert httpx.get(url.replace("ws", "http", 1)).status_code == 400
    log = capfd.readouterr().err
    assert "console opened" in log
    assert "/v1/consoles/…" in log
    assert url.rsplit("/", 1)[1] not in log
