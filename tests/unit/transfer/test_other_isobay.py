"""Speaking to an isobay elsewhere: what it refuses, what is none, and to whom the key is shown."""

from __future__ import annotations

import json

import pytest

from hostile_source import HostileSource, Page, hostile
from isobay.errors import ConflictError, FetchError, IsobayError, NotFoundError, UnavailableError
from isobay.model import Iso
from isobay.transfer.receiving import Receiver
from isobay.transfer.sending import Sender

ROOT = "/v1/services/compute-on/test_area"
ISO = Iso(id="a", name="medium", size=10, checksums={"sha256": "0" * 64})


@pytest.fixture
def elsewhere():
    """Give a server that answers as it is told."""
    with hostile() as source:
        yield source


@pytest.fixture
def receiver(elsewhere: HostileSource):
    """Give a receiver from that server."""
    with Receiver(elsewhere.url(""), "the key", "compute-on", "test_area", "", 5) as receiver:
        yield receiver


def _refusal(error: type[IsobayError], message: str) -> Page:
    told = {"code": error.code, "errorCode": str(error.code), "message": message, "context": {"id": "a"}}
    return Page(json.dumps({"errors": [told]}).encode(), status=error.status)


@pytest.mark.parametrize(
    ("page", "retry"),
    [
        (Page(b"<html>"), False),
        (Page(b'{"data": {"id": 7}}'), False),
        (Page(b"<html>", status=403), False),
        (Page(b"<html>", status=502), True),
        (Page(b'{"errors": [{"code": "many"}]}', status=503), True),
        (Page(endless=True), False),
    ],
    ids=["a page", "another service", "a wall", "a proxy", "a refusal of another service", "without end"],
)
def test_what_is_no_isobay_is_told(elsewhere: HostileSource, page: Page, retry: bool) -> None:
    """Anything else than isobay's answers is one sentence about the URL, and worth another try if a proxy's."""
    for path in ("isos", "isos/a"):
        elsewhere.pages[f"{ROOT}/{path}"] = page
    elsewhere.pages[f"{ROOT}/isos?status=uploading&size=10&page_size=100"] = page
    settings = ("the key", "compute-on", "test_area", "", 5)
    with Receiver(elsewhere.url(""), *settings) as receiver, Sender(elsewhere.url(""), *settings) as sender:
        for ask in (lambda: receiver.iso("a"), lambda: sender.find(10, "sha256:0")):
            with pytest.raises(FetchError, match="does not answer as isobay does") as caught:
                ask()
            assert caught.value.context["retry"] is retry


@pytest.mark.parametrize(("kind", "retry"), [(NotFoundError, False), (ConflictError, False), (UnavailableError, True)])
def test_a_refusal_is_the_error_that_it_is_there(
    elsewhere: HostileSource, receiver: Receiver, kind: type[IsobayError], retry: bool
) -> None:
    """With its sentence and its context; another try is for what passes."""
    elsewhere.pages[f"{ROOT}/isos/a/content"] = _refusal(kind, "Not now.")
    with pytest.raises(kind, match=r"Not now\.") as caught:
        receiver.fetch(ISO, 0, print, print)
    assert caught.value.context == {"id": "a", "retry": retry}


def test_what_brings_no_bytes_is_no_content(elsewhere: HostileSource, receiver: Receiver) -> None:
    """An answer without a body ends the fetching with an error, so nobody asks for ever."""
    elsewhere.pages[f"{ROOT}/isos/a/content"] = Page(b"")
    with pytest.raises(FetchError, match="does not answer as isobay does"):
        receiver.fetch(ISO, 0, print, print)


def test_the_key_is_for_this_isobay_alone(elsewhere: HostileSource, receiver: Receiver) -> None:
    """A redirect is not followed."""
    elsewhere.pages[f"{ROOT}/isos/a"] = Page.redirect(elsewhere.url("/there"))
    with pytest.raises(FetchError, match="HTTP 302"):
        receiver.iso("a")
    assert [request.target for request in elsewhere.requests] == [f"{ROOT}/isos/a"]
    assert elsewhere.requests[0].headers["mc-api-key"] == "the key"


def test_what_the_taker_raises_ends_the_fetching(elsewhere: HostileSource, receiver: Receiver) -> None:
    """An error of who takes the bytes comes out as it is, and the next request is whole again."""
    elsewhere.pages[f"{ROOT}/isos/a/content"] = Page(b"0123456789", etag=f'"{"0" * 64}"')

    def refuse(_data: bytes) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        receiver.fetch(ISO, 0, refuse, print)
    begins: list[int] = []
    came: list[bytes] = []
    receiver.fetch(ISO, 4, came.append, begins.append)
    assert (begins, b"".join(came)) == ([4], b"456789")
