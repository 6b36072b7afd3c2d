"""What a publisher promises of an image is proved before anybody may use it."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from desk import Desk, digest

from hostile_source import HostileSource, Page
from servers import leave_out
from service import SEED, Service, serving


class Signer:
    """A publisher with an OpenPGP key of its own, made by gpg."""

    def __init__(self, home: Path, name: str) -> None:
        self._home = home
        home.mkdir(mode=0o700)
        self._run("--quick-gen-key", f"{name} <{name}@images.test>", "ed25519", "sign", "never")
        self.certificate = self._run("--armor", "--export")

    def detached(self, data: bytes) -> bytes:
        """Sign apart, in binary."""
        return self._run("--detach-sign", data=data)

    def around(self, data: bytes) -> bytes:
        """Sign around the text."""
        return self._run("--clear-sign", data=data)

    def _run(self, *arguments: str, data: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self._home), "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
        return subprocess.run([*command, *arguments], input=data, capture_output=True, check=True).stdout

    def stop(self) -> None:
        """End the agent that gpg left running."""
        subprocess.run(["gpgconf", "--homedir", str(self._home), "--kill", "all"], check=True)


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    """Make the key that the service believes."""
    yield from _signer(tmp_path_factory, "publisher")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    """Make a key that it does not."""
    yield from _signer(tmp_path_factory, "stranger")


def _signer(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Signer]:
    if not which("gpg"):
        leave_out("gpg is not installed: install Debian's package gnupg")
    signer = Signer(tmp_path_factory.mktemp("gpg") / name, name)
    yield signer
    signer.stop()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, options: dict[str, str], publisher: Signer) -> Iterator[Service]:
    """Run a service that believes the publisher, and whose environments hold little."""
    keys = tmp_path_factory.mktemp("keys")
    (keys / "publisher.asc").write_bytes(publisher.certificate)
    more = {"ISOBAY_SIGNING_KEYS": str(keys), "ISOBAY_ENVIRONMENT_BYTES": str(10 << 20)}
    with serving(tmp_path_factory.mktemp("promises"), **options, **more) as running:
        yield running


def promise(form: str, data: bytes) -> str:
    """The checksum of bytes in a form such as ``sha256:``, ``{SHA-256}`` or, bare, ``sha256``."""
    name = form.strip("{:}").replace("-", "").lower()
    hexdigest = hashlib.new(name, data, usedforsecurity=False).hexdigest()
    return hexdigest if form == name else form + hexdigest


@pytest.mark.parametrize("form", ["md5", "sha1:", "SHA-224:", "{SHA-256}", "{SHA384}", "sha512"])
def test_checksums(desk: Desk, source: HostileSource, head: bytes, form: str) -> None:
    """The right checksum is taken in all its forms; a wrong one fails, and leaves no bytes."""
    source.pages["/a.iso"] = Page(head)
    assert desk.bring(source.url("/a.iso"), checksum=promise(form, head))["checksums"]["sha256"] == digest(head)
    files = desk.files()
    failure = desk.fail(source.url("/a.iso"), checksum=promise(form, b"another"))
    assert (failure.code, desk.iso(failure.asked)["size"]) == (2106, 0)
    assert failure.context["expected"].rpartition(":")[2] in promise(form, b"another")
    assert desk.files() == files


def test_room_comes_back(desk: Desk, source: HostileSource, small: bytes) -> None:
    """Images that were refused take nothing of what the environment may hold."""
    source.pages["/a.iso"] = Page(small)
    for _ in range(2):
        assert desk.fail(source.url("/a.iso"), checksum=f"sha256:{digest(b'another')}").code == 2106
    assert desk.bring(source.url("/a.iso"), checksum=f"sha256:{digest(small)}")["ready"]


def test_never_ready(desk: Desk, source: HostileSource, head: bytes) -> None:
    """At no moment is an image ready whose checksum is wrong."""
    source.pages["/a.iso"] = Page(head)
    asked = desk.begin(source.url("/a.iso"), checksum=f"sha256:{digest(b'another')}")
    seen = []
    while desk.task(asked)["taskStatus"] == "PENDING":
        seen += [(iso["ready"], iso["status"]) for iso in desk.service.get(f"{SEED}/isos")]
    desk.failed(asked)
    assert set(seen) <= {(False, "importing"), (False, "failed")}


@pytest.mark.parametrize(
    "text",
    ["sha256:{0}  a.iso", "{0} *a.iso", "SHA256 (a.iso) = {0}", "{1}  b.iso\n{0}  ./a.iso"],
)
def test_checksum_files(desk: Desk, source: HostileSource, head: bytes, text: str) -> None:
    """A file of checksums is read for the image's name; the image must be what it says."""
    text = text.removeprefix("sha256:") + "\n"
    source.pages["/a.iso"] = Page(head)
    source.pages["/good"] = Page(text.format(digest(head), digest(b"b")).encode())
    source.pages["/bad"] = Page(text.format(digest(b"b"), digest(head)).encode())
    source.pages["/other"] = Page(f"{digest(head)}  other.iso\n{digest(head)}  more.iso\n".encode())
    url = source.url("/a.iso")
    assert desk.bring(url, checksumUrl=source.url("/good"))["ready"]
    assert desk.fail(url, checksumUrl=source.url("/bad")).code == 2106
    before = len(source.requests)
    failure = desk.fail(url, checksumUrl=source.url("/other"))
    assert (failure.code, "a.iso" in failure.message) == (2106, True)
    assert desk.fail(url, checksumUrl=source.url("/missing")).context["httpStatus"] == 404
    # The image is not fetched before its promise is known.
    assert [request.target for request in source.requests[before:]] == ["/other", "/missing"]


def test_endless_checksum_file(desk: Desk, source: HostileSource, head: bytes) -> None:
    """A file of checksums without end is not read to it."""
    source.pages["/a.iso"] = Page(head)
    source.pages["/sums"] = Page(endless=True)
    assert desk.fail(source.url("/a.iso"), checksumUrl=source.url("/sums")).context["reason"] == "too-large"


@pytest.fixture
def signed(source: HostileSource, head: bytes) -> dict[str, Any]:
    """Publish an image and its checksums; what is asked for."""
    source.pages["/a.iso"] = Page(head)
    source.pages["/sums"] = Page(f"{digest(head)}  a.iso\n".encode())
    return {
        "url": source.url("/a.iso"),
        "checksumUrl": source.url("/sums"),
        "signatureUrl": source.url("/sums.sig"),
    }


def test_signed_apart(desk: Desk, source: HostileSource, signed: dict[str, Any], publisher: Signer) -> None:
    """Checksums that a known key signed are believed."""
    source.pages["/sums.sig"] = Page(publisher.detached(source.pages["/sums"].data))
    assert desk.bring(**signed)["ready"]


def test_signed_around(desk: Desk, source: HostileSource, signed: dict[str, Any], publisher: Signer) -> None:
    """Checksums in a file that is signed within itself are believed, and nothing that stands outside of it."""
    text = publisher.around(source.pages["/sums"].data)
    source.pages["/sums"] = Page(text)
    signed["signatureUrl"] = signed["checksumUrl"]
    assert desk.bring(**signed)["ready"]
    source.pages["/sums"] = Page(publisher.around(b"nothing\n") + f"{digest(b'x')}  a.iso\n".encode())
    assert desk.fail(**signed).code == 2106


def test_tampered(desk: Desk, source: HostileSource, signed: dict[str, Any], publisher: Signer, other: bytes) -> None:
    """Checksums that were changed after they were signed are not believed, though they fit the image."""
    source.pages["/sums.sig"] = Page(publisher.detached(source.pages["/sums"].data))
    source.pages["/a.iso"] = Page(other)
    source.pages["/sums"] = Page(f"{digest(other)}  a.iso\n".encode())
    failure = desk.fail(**signed)
    assert failure.code == 2106
    assert "does not fit" in failure.message
    assert "/a.iso" not in [request.target for request in source.requests]


def test_unknown_signer(desk: Desk, source: HostileSource, signed: dict[str, Any], stranger: Signer) -> None:
    """A signature by a key that nobody named is not believed; the sentence names the key."""
    source.pages["/sums.sig"] = Page(stranger.detached(source.pages["/sums"].data))
    failure = desk.fail(**signed)
    assert failure.code == 2106
    assert failure.context["keys"][0].upper() in failure.message


def test_no_signature(desk: Desk, source: HostileSource, signed: dict[str, Any]) -> None:
    """Without the signature that was asked for, or with something else in its place, the image is not fetched."""
    assert desk.fail(**signed).context["httpStatus"] == 404
    source.pages["/sums.sig"] = Page(b"<html>", content_type="text/html")
    assert desk.fail(**signed).code == 2106
    assert "/a.iso" not in [request.target for request in source.requests]


def test_no_keys(
    tmp_path: Path, options: dict[str, str], source: HostileSource, signed: dict[str, Any], publisher: Signer
) -> None:
    """Where no keys are set nothing that is to be proved by one is believed, and the option is named."""
    source.pages["/sums.sig"] = Page(publisher.detached(source.pages["/sums"].data))
    with serving(tmp_path, **options) as service:
        failure = Desk(service).fail(**signed)
    assert failure.code == 5003
    assert "ISOBAY_SIGNING_KEYS" in failure.message


def test_signature_of_nothing(desk: Desk, source: HostileSource) -> None:
    """A signature without a file of checksums is refused at once, and its field is named."""
    answer = desk.ask(source.url("/a.iso"), signatureUrl=source.url("/sums.sig"))
    assert (answer.status_code, list(answer.json()["errors"][0]["context"]["fields"])) == (400, ["signatureUrl"])
