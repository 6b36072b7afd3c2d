"""Images come whole from servers that cut, stall, lie and change, or do not come at all."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from desk import MAX_ISO_BYTES, Desk, digest, until

from hostile_source import HostileSource, Page, Request
from sources import CertificateAuthority, nginx

MIB = 1 << 20
FETCHED_TWICE = 16 * MIB  # per cut, at most
DATE = "Mon, 02 Nov 2026 10:00:00 GMT"


def bodies(source: HostileSource) -> list[Request]:
    """The requests that were answered with bytes."""
    return [request for request in source.requests if request.sent]


def ranges(source: HostileSource) -> list[str]:
    """What each request asked for."""
    return [request.headers.get("range", "") for request in source.requests]


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_nginx(desk: Desk, tmp_path: Path, authority: CertificateAuthority, large: bytes, *, secure: bool) -> None:
    """What Debian's nginx serves, over http or over https by an authority of one's own, comes in one request."""
    (tmp_path / "large image.iso").write_bytes(large)
    with nginx(tmp_path, authority.issue()) as server:
        url = (server.secure_url if secure else server.url)("/large%20image.iso")
        iso = desk.bring(url)
        assert (iso["size"], iso["checksums"]["sha256"], iso["sourceUrl"]) == (len(large), digest(large), url)
        assert [(fetch.status, fetch.range, fetch.sent) for fetch in server.fetches()] == [(200, "", len(large))]


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("validators", [{}, {"etag": "", "last_modified": DATE}], ids=["etag", "date"])
def test_cuts(desk: Desk, source: HostileSource, large: bytes, validators: dict[str, str], *, reset: bool) -> None:
    """A server that cuts the connection every 20 MiB is asked for the rest, and little is fetched twice."""
    source.pages["/a.iso"] = Page(large, cut_every=20 * MIB, reset=reset, **validators)
    assert desk.bring(source.url("/a.iso"))["checksums"]["sha256"] == digest(large)
    first, *later = source.requests
    assert (first.status, len(later) >= 3, {request.status for request in later}) == (200, True, {206})
    assert {request.headers["if-range"] for request in later} == {validators.get("last_modified", '"1"')}
    assert sum(request.sent for request in source.requests) - len(large) <= FETCHED_TWICE * len(later)


def test_chunks(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A chunked answer has no length, and its end is the file's."""
    source.pages["/a.iso"] = Page(small, chunked=True)
    iso = desk.bring(source.url("/a.iso"))
    assert (iso["size"], iso["checksums"]["sha256"]) == (len(small), digest(small))


def test_cut_chunks(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A chunked answer that breaks off is not taken for whole."""
    source.pages["/a.iso"] = Page(small, chunked=True, cut_every=2 * MIB)
    assert desk.bring(source.url("/a.iso"))["checksums"]["sha256"] == digest(small)
    assert source.requests[1].headers["range"] == f"bytes={2 * MIB}-"


def test_packed_on_the_way(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A server that packs the answer though nobody asked it to gives the image all the same."""
    source.pages["/a.iso"] = Page(small, compressed=True)
    assert desk.bring(source.url("/a.iso"))["checksums"]["sha256"] == digest(small)


def test_no_ranges(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A server without Range is good enough while nothing goes wrong."""
    source.pages["/a.iso"] = Page(small, ranges=False)
    assert desk.bring(source.url("/a.iso"))["checksums"]["sha256"] == digest(small)
    assert ranges(source) == [""]


@pytest.mark.parametrize(
    "page",
    [{"ranges": False}, {"etag": ""}, {"etag": 'W/"1"'}],
    ids=["no ranges", "no validators", "weak etag"],
)
def test_starting_over(desk: Desk, source: HostileSource, small: bytes, page: dict[str, object]) -> None:
    """Where the rest cannot be had for certain, all is fetched again, which is said then and afterwards."""
    second = Page(small, stall_after=3 * MIB, **page)
    source.pages["/a.iso"] = Page(small, cut_every=2 * MIB, times=1, then=second, **page)
    asked = desk.begin(source.url("/a.iso"))
    assert second.stalled.wait(30)
    second.stall_after = None
    until(lambda: "tarted over" in desk.task(asked)["message"], "the task to say that it started over")
    second.released.set()
    assert desk.ready(asked)["checksums"]["sha256"] == digest(small)
    assert "tarted over" in desk.task(asked)["message"]
    assert {request.status for request in source.requests} == {200}


def test_no_ranges_and_always_cut(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A server without Range that never gives all is given up, with a sentence that says both."""
    pages = [Page(small, ranges=False, cut_every=size * MIB, times=1) for size in (1, 3) * 12]
    for page, following in pairwise(pages):
        page.then = following
    source.pages["/a.iso"] = pages[0]
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.code, failure.context["reason"]) == (2104, "cut")
    assert "cut" in failure.message
    assert "from its beginning" in failure.message
    assert len(source.requests) < 10


def test_shorter_than_it_says(desk: Desk, source: HostileSource, full: bytes) -> None:
    """A Content-Length beyond the file's end never makes an image; when the file is all there, another try does."""
    source.pages["/a.iso"] = Page(full, length_lie=MIB)
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.code, failure.context["reason"]) == (2104, "length")
    assert f"announced {len(full) + MIB} bytes and has {len(full)}" in failure.message
    assert (len(bodies(source)), desk.files()) == (1, [])
    source.pages["/a.iso"] = Page(full)
    assert desk.ready(desk.again(failure.asked))["checksums"]["sha256"] == digest(full)


def test_longer_than_it_says(desk: Desk, source: HostileSource, full: bytes) -> None:
    """A Content-Length before the image's end makes an image that is too short, and it is refused."""
    source.pages["/a.iso"] = Page(full, length_lie=-2 * MIB)
    failure = desk.fail(source.url("/a.iso"))
    assert failure.code == 2101
    assert desk.files() == []


@pytest.mark.parametrize("if_range", [True, False], ids=["honest", "ignores If-Range"])
def test_changed(desk: Desk, source: HostileSource, large: bytes, other: bytes, *, if_range: bool) -> None:
    """Of a file that changes in the middle the new one is fetched from its beginning, never a mixture."""
    then = Page(other, etag='"2"', if_range=if_range)
    source.pages["/a.iso"] = Page(large, cut_every=20 * MIB, times=2, then=then)
    asked = desk.begin(source.url("/a.iso"))
    assert desk.ready(asked)["checksums"]["sha256"] == digest(other)
    assert "tarted over: the file on the server changed" in desk.task(asked)["message"]


def test_changed_length(desk: Desk, source: HostileSource, large: bytes, small: bytes) -> None:
    """A file that became shorter than what is here already is fetched from its beginning."""
    source.pages["/a.iso"] = Page(large, cut_every=20 * MIB, times=1, then=Page(small, if_range=False))
    assert desk.bring(source.url("/a.iso"))["checksums"]["sha256"] == digest(small)


@pytest.mark.parametrize("if_range", [True, False], ids=["honest", "ignores If-Range"])
def test_changing_again_and_again(desk: Desk, source: HostileSource, small: bytes, *, if_range: bool) -> None:
    """A file that changes at each request is given up, and none of its bytes stay."""
    pages = [Page(small, etag=f'"{n}"', if_range=if_range, cut_every=2 * MIB, times=1) for n in range(20)]
    for page, following in pairwise(pages):
        page.then = following
    source.pages["/a.iso"] = pages[0]
    failure = desk.fail(source.url("/a.iso"))
    assert "changes again and again" in failure.message
    assert desk.files() == []
    assert len(source.requests) < 10


def test_too_large_by_its_length(desk: Desk, source: HostileSource, small: bytes) -> None:
    """An answer that announces more than ISOBAY_MAX_ISO_BYTES is refused by its head."""
    source.pages["/a.iso"] = Page(small, length_lie=MAX_ISO_BYTES, stall_after=0)
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.context["reason"], failure.context["limit"]) == ("too-large", MAX_ISO_BYTES)
    assert "ISOBAY_MAX_ISO_BYTES" in failure.message
    assert len(source.requests) == 1


def test_too_large_without_length(desk: Desk, source: HostileSource, small: bytes) -> None:
    """An answer without end is stopped at ISOBAY_MAX_ISO_BYTES, and nothing of it stays."""
    page = Page(small + bytes(MAX_ISO_BYTES), chunked=True, stall_after=MAX_ISO_BYTES + MIB)
    source.pages["/a.iso"] = page
    failure = desk.fail(source.url("/a.iso"))
    assert failure.context["reason"] == "too-large"
    assert desk.files() == []
    assert len(source.requests) == 1


def test_endless_nothing(desk: Desk, source: HostileSource) -> None:
    """Zeros without end are no image, which is known long before the limit."""
    source.pages["/a.iso"] = Page(endless=True, stall_after=2 * MIB)
    assert desk.fail(source.url("/a.iso")).code == 2101
    assert desk.files() == []


def test_html(desk: Desk, source: HostileSource) -> None:
    """A web page under status 200 is refused by its first megabyte, however long it claims to be."""
    html = b"<!DOCTYPE html><html><body>Log in first" + b" " * (4 * MIB)
    page = Page(html, content_type="text/html", length_lie=MAX_ISO_BYTES - 5 * MIB, stall_after=MIB + MIB // 4)
    source.pages["/a.iso"] = page
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.code, len(source.requests)) == (2101, 1)
    assert "HTML" in failure.message
    assert desk.files() == []


def test_stall(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A server that falls silent is hung up on after ISOBAY_FETCH_STALL_SECONDS, and asked for the rest."""
    source.pages["/a.iso"] = Page(small, stall_after=3 * MIB, times=1, then=Page(small))
    assert desk.bring(source.url("/a.iso"))["checksums"]["sha256"] == digest(small)
    assert ranges(source) == ["", f"bytes={3 * MIB}-"]


def test_silence_from_the_beginning(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A server that does not even answer is asked again."""
    source.pages["/a.iso"] = Page(small, stall_after=-1, times=1, then=Page(small))
    assert desk.bring(source.url("/a.iso"))["checksums"]["sha256"] == digest(small)


def test_busy(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A server that is busy is left alone as long as it says, which is told, and then asked again."""
    busy = Page(b"busy", status=503, headers={"Retry-After": "1"}, times=1, then=Page(small))
    source.pages["/a.iso"] = busy
    asked = desk.begin(source.url("/a.iso"))
    until(lambda: "Trying again in 1 s" in desk.task(asked)["message"], "the task to say that it waits")
    assert desk.ready(asked)["checksums"]["sha256"] == digest(small)
    assert [request.status for request in source.requests] == [503, 200]


def test_always_busy(desk: Desk, source: HostileSource) -> None:
    """A server that fails each time is asked once and ISOBAY_FETCH_RETRIES times more."""
    source.pages["/a.iso"] = Page(b"broken", status=500)
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.context["httpStatus"], len(source.requests)) == (500, 4)


@pytest.mark.parametrize(("status", "said"), [(404, "no such file"), (403, "does not allow"), (410, "gone for good")])
def test_refusals(desk: Desk, source: HostileSource, status: int, said: str) -> None:
    """A status that no second request would change is told in a sentence after the first."""
    source.pages["/a.iso"] = Page(b"no", status=status)
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.code, failure.context["httpStatus"], len(source.requests)) == (2104, status, 1)
    assert said in failure.message


def test_nobody_there(desk: Desk, source: HostileSource) -> None:
    """A name that does not exist is told in a sentence that names it."""
    failure = desk.fail("http://images.invalid/a.iso")
    assert "images.invalid cannot be resolved" in failure.message
    assert not source.requests
