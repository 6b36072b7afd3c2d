"""What the doctor says of servers, on real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from sentences import problems, said, verdict

from hostile_source import HostileSource, Page, hostile
from images import image
from isobay.errors import InvalidFieldsError, UnavailableError
from isobay.inspection import doctor as rooms
from isobay.inspection.diagnosis import Diagnosis
from isobay.inspection.doctor import Doctor
from isobay.osdetect import Rules
from isobay.transfer import remote
from isobay.transfer.guard import AddressGuard
from isobay.transfer.network import Network
from servers import free_port
from sources import CertificateAuthority, nginx


def test_a_good_server_is_praised(doctor: Doctor, authority: CertificateAuthority, installer: Path) -> None:
    """Over TLS, with Range and an ETag, all that can be said before a checksum is known is ok."""
    with nginx(installer.parent, tls=authority.issue()) as server:
        url = server.secure_url("/debian.iso")
        diagnosis = doctor.examine(url, room=1 << 40, quota_left=1 << 40)
    verdicts = {finding.subject: finding.verdict for finding in diagnosis.findings}
    good = ["address", "tls", "server", "size", "range", "version", "space", "quota", "image"]
    assert verdicts == dict.fromkeys(good, "ok") | {"checksum": "notice"}
    assert [finding.subject for finding in diagnosis.findings] == [*good[:-1], "checksum", "image"]
    assert diagnosis.importable
    assert (diagnosis.url, diagnosis.final_url, diagnosis.addresses) == (url, url, ["127.0.0.1"])
    assert (diagnosis.status, diagnosis.size, diagnosis.ranges) == (206, installer.stat().st_size, True)
    assert diagnosis.server.startswith("nginx")
    assert diagnosis.etag
    assert diagnosis.modified
    assert "Debian 14" in said(diagnosis, "image")


def test_certificates_are_told_apart(rules: Callable[[], Rules], tmp_path: Path) -> None:
    """An expired certificate, one of another name, one of an unknown authority: each has its own advice."""
    ours, others = CertificateAuthority(tmp_path), CertificateAuthority(_directory(tmp_path, "others"))
    doctor = Doctor(Network(AddressGuard.of("127.0.0.0/8"), ca_file=str(ours.file)), rules, 1 << 30)
    told = {}
    for kind, certificate in {
        "expired": ours.issue(expired=True),
        "name": ours.issue("images.example"),
        "authority": others.issue(),
    }.items():
        with nginx(tmp_path, tls=certificate) as server:
            url = server.secure_url("/debian.iso")
            diagnosis = doctor.examine(url)
        assert (problems(diagnosis), diagnosis.importable, diagnosis.status) == (["tls"], False, 0)
        told[kind] = said(diagnosis, "tls")
        assert told[kind].startswith(f"{url}: ")
    assert "has expired" in told["expired"]
    assert "renew the certificate" in told["expired"]
    assert "made for another name" in told["name"]
    assert "signed by no authority that this machine knows" in told["authority"]
    assert "ISOBAY_CA_FILE" in told["authority"]


def _directory(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


def test_http_where_https_was_asked_for(doctor: Doctor, source: HostileSource) -> None:
    """A server that speaks no TLS is a problem of TLS."""
    source.pages["/a.iso"] = Page(b"x")
    diagnosis = doctor.examine(source.url("/a.iso").replace("http:", "https:"))
    assert problems(diagnosis) == ["tls"]
    assert "speaks https" in said(diagnosis, "tls")


def test_no_tls_is_worth_a_notice(
    doctor: Doctor, source: HostileSource, authority: CertificateAuthority, installer: Path
) -> None:
    """Plain http can be changed on its way, also behind https; a checksum that came over TLS would show it."""
    source.pages["/debian.iso"] = Page(installer.read_bytes())
    digest = "0" * 64
    with hostile(tls=authority.issue()) as secure:
        secure.pages["/latest"] = Page.redirect(source.url("/debian.iso"))
        secure.pages["/SHA256SUMS"] = Page(f"{digest}  debian.iso\n".encode())
        bare = doctor.examine(secure.url("/latest"))
        held = doctor.examine(source.url("/debian.iso"), checksum_url=secure.url("/SHA256SUMS"))
    assert verdict(bare, "tls") == "notice"
    assert source.url("/debian.iso") in said(bare, "tls")
    assert (verdict(held, "tls"), held.checksum) == ("ok", f"sha256:{digest}")
    assert bare.importable
    assert held.importable


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (Page(b"<html>", status=404), "no such file"),
        (Page(b"", status=403), "does not allow it"),
        (Page(b"x", login=("user", "word")), "user name and password"),
        (Page(b"", status=503), "the server failed"),
        (Page(b"x" * 100, length_lie=1000), "was cut"),
    ],
    ids=["404", "403", "401", "503", "cut"],
)
def test_what_a_server_refuses(doctor: Doctor, source: HostileSource, page: Page, words: str) -> None:
    """A status that brings no bytes is the server's problem, with the sentence that an import would fail with."""
    source.pages["/a.iso"] = page
    diagnosis = doctor.examine(source.url("/a.iso"))
    assert problems(diagnosis) == ["server"]
    assert words in said(diagnosis, "server")
    assert diagnosis.status == (page.status if page.status != 200 else 401 if page.login else 0)
    assert diagnosis.requests == 1


def test_nobody_listens(doctor: Doctor) -> None:
    """A port where nobody listens is told, not raised."""
    diagnosis = doctor.examine(f"http://127.0.0.1:{free_port()}/a.iso")
    assert problems(diagnosis) == ["server"]
    assert "Check the address and the port" in said(diagnosis, "server")


def test_addresses_that_are_refused(doctor: Doctor, source: HostileSource) -> None:
    """An address of a private network is refused, at once or behind redirects, and nothing is asked there."""
    at_once = doctor.examine("http://10.1.2.3/a.iso")
    source.chain("/a.iso", 2, "http://169.254.169.254/latest/meta-data/")
    behind = doctor.examine(source.url("/a.iso"))
    assert problems(at_once) == problems(behind) == ["address"]
    assert "a private address" in said(at_once, "address")
    assert "metadata" in said(behind, "address")
    assert behind.redirects == [source.url("/a.iso"), source.url("/a.iso-1")]
    assert (behind.final_url, behind.report) == ("", None)


def test_redirects_without_end(doctor: Doctor, source: HostileSource) -> None:
    """A circle of redirects ends, and is the redirects' problem."""
    source.pages["/a.iso"] = Page.redirect("/a.iso")
    diagnosis = doctor.examine(source.url("/a.iso"))
    assert problems(diagnosis) == ["redirect"]
    assert len(source.requests) <= rooms.MAX_REQUESTS


def test_a_silent_server(doctor: Doctor, source: HostileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the request and says nothing is given up, by the request's limit or by the look's."""
    source.pages["/a.iso"] = Page(stall_after=-1)
    with monkeypatch.context() as short:
        short.setattr(remote, "REQUEST_SECONDS", 0.2)
        one = doctor.examine(source.url("/a.iso"))
    monkeypatch.setattr(rooms, "SECONDS", 0.2)
    all_ = doctor.examine(source.url("/a.iso"))
    assert problems(one) == problems(all_) == ["server"]
    assert "silent for too long" in said(one, "server")
    assert "within 0.2 seconds" in said(all_, "server")


def test_a_few_at_once(doctor: Doctor, source: HostileSource, installer: Path) -> None:
    """While two URLs are looked at a third one is refused, and taken when one of them is done."""
    page = source.pages["/slow.iso"] = Page(installer.read_bytes(), stall_after=-1)
    other = source.pages["/other.iso"] = Page(installer.read_bytes(), stall_after=-1)
    done: list[Diagnosis] = []
    threads = [
        Thread(target=lambda path=path: done.append(doctor.examine(source.url(path))))
        for path in ("/slow.iso", "/other.iso")
    ]
    for thread in threads:
        thread.start()
    assert page.stalled.wait(10)
    assert other.stalled.wait(10)
    with pytest.raises(UnavailableError):
        doctor.examine(source.url("/debian.iso"))
    page.released.set()
    other.released.set()
    for thread in threads:
        thread.join()
    assert [diagnosis.importable for diagnosis in done] == [True, True]
    assert problems(doctor.examine(source.url("/debian.iso"))) == ["server"]


def test_no_validator_and_no_size(doctor: Doctor, source: HostileSource, installer: Path) -> None:
    """A file of unknown size and version is looked at all the same, and what that means for an import is said."""
    source.pages["/a.iso"] = Page(installer.read_bytes(), chunked=True, ranges=False, etag='W/"1"')
    diagnosis = doctor.examine(source.url("/a.iso"), room=1 << 40)
    assert (verdict(diagnosis, "size"), diagnosis.size) == ("notice", -1)
    assert (verdict(diagnosis, "version"), verdict(diagnosis, "range")) == ("notice", "notice")
    assert diagnosis.report
    assert diagnosis.report.volume_size == installer.stat().st_size
    assert diagnosis.importable


def test_a_small_file_of_unknown_size(doctor: Doctor, source: HostileSource, tmp_path: Path) -> None:
    """A file that ends within its first request has the size that came, though the server never said it."""
    made = image(tmp_path / "a.iso", {"readme.txt": "hello"}, "-no-pad")
    source.pages["/a.iso"] = Page(made.read_bytes(), chunked=True, ranges=False)
    diagnosis = doctor.examine(source.url("/a.iso"))
    assert (verdict(diagnosis, "size"), diagnosis.size) == ("ok", made.stat().st_size)
    assert verdict(diagnosis, "image") == "ok"


def test_a_file_that_changes_meanwhile(doctor: Doctor, source: HostileSource, installer: Path) -> None:
    """Bytes of two files are never put together."""
    data = installer.read_bytes()
    source.pages["/a.iso"] = Page(data, times=1, then=Page(data, etag='"2"'))
    diagnosis = doctor.examine(source.url("/a.iso"))
    assert problems(diagnosis) == ["server"]
    assert "changed while it was read" in said(diagnosis, "server")
    assert diagnosis.report is None


def test_no_secret_comes_out(doctor: Doctor, source: HostileSource, installer: Path) -> None:
    """Neither a login nor a signature of a URL, nor a terminal's control character of a server, is in a diagnosis."""
    source.pages["/a.iso"] = Page.redirect("/b.iso?X-Amz-Signature=hushhush")
    source.pages["/b.iso"] = Page(installer.read_bytes(), headers={"Server": "a\x1b[31mb"})
    url = source.url("/a.iso?token=hushhush").replace("http://", "http://user:hushhush@")
    diagnosis = doctor.examine(url)
    assert "hushhush" not in repr(diagnosis)
    assert diagnosis.server == "a\ufffd[31mb"
    assert source.requests[1].headers["authorization"]


@pytest.mark.parametrize(("url", "sums", "field"), [("ftp://a/b", "", "url"), ("http://a/b", "b", "checksumUrl")])
def test_what_is_no_url(doctor: Doctor, url: str, sums: str, field: str) -> None:
    """What cannot be asked for at all is the caller's mistake, and the field is named."""
    with pytest.raises(InvalidFieldsError) as raised:
        doctor.examine(url, checksum_url=sums)
    assert list(raised.value.context["fields"]) == [field]
