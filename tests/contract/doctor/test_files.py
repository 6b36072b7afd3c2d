"""What the doctor says of files and of the checksums beside them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import subprocess
import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from sentences import problems, said, verdict

from hostile_source import HostileSource, Page
from images import image, tool
from isobay.inspection.doctor import Doctor

NAME = "/pool/debian.iso"


@pytest.fixture
def data(installer: Path) -> bytes:
    """The bytes of an image."""
    return installer.read_bytes()


@pytest.fixture
def url(source: HostileSource, data: bytes) -> str:
    """Serve the image; its URL."""
    source.pages[NAME] = Page(data)
    return source.url(NAME)


def test_a_login_page_is_no_image(doctor: Doctor, source: HostileSource) -> None:
    """A web page in the image's place is told by its first bytes."""
    source.pages["/a.iso"] = Page(b"<!DOCTYPE html><title>Log in</title>" + bytes(100_000), content_type="text/html")
    diagnosis = doctor.examine(source.url("/a.iso"))
    assert problems(diagnosis) == ["image"]
    assert "a web page (HTML)" in said(diagnosis, "image")
    assert diagnosis.report is None


@pytest.mark.parametrize("ranges", [True, False], ids=["range", "no-range"])
def test_another_file_is_no_image(doctor: Doctor, source: HostileSource, ranges: bool) -> None:
    """A disk image of another kind is refused by its beginning, whether or not the server gives its end."""
    source.pages["/a.iso"] = Page(b"QFI\xfb" + bytes(3 << 20), ranges=ranges)
    diagnosis = doctor.examine(source.url("/a.iso"))
    assert problems(diagnosis) == ["image"]
    assert "qcow2" in said(diagnosis, "image")


def test_an_image_that_is_cut(doctor: Doctor, source: HostileSource, data: bytes) -> None:
    """A file that is shorter than its own descriptors say is known before it is fetched."""
    source.pages["/a.iso"] = Page(data[: len(data) // 2])
    diagnosis = doctor.examine(source.url("/a.iso"))
    assert problems(diagnosis) == ["image"]
    assert "truncated" in said(diagnosis, "image")


def zstd(data: bytes) -> bytes:
    """Pack by the tool."""
    return subprocess.run([tool("zstd"), "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize(
    ("kind", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress), ("zstd", zstd)]
)
def test_packed_images(
    doctor: Doctor, source: HostileSource, tmp_path: Path, kind: str, pack: Callable[[bytes], bytes]
) -> None:
    """A packed image is unpacked as it would be by an import, and reported on."""
    made = image(tmp_path / "a.iso", {"readme.txt": "hello"}, label="PACKED")
    source.pages["/a.iso.packed"] = Page(pack(made.read_bytes()))
    diagnosis = doctor.examine(source.url("/a.iso.packed"))
    assert f"packed with {kind}" in said(diagnosis, "image")
    assert verdict(diagnosis, "image") == "ok"
    assert diagnosis.report
    assert (diagnosis.report.volume_label, diagnosis.report.size) == ("PACKED", made.stat().st_size)


def test_large_packed_images(doctor: Doctor, source: HostileSource, tmp_path: Path) -> None:
    """Of a large packed image the beginning is unpacked; where that gives nothing, the file is not called bad."""
    noise = b"".join(sha256(number.to_bytes(4)).digest() for number in range(60_000))
    made = image(tmp_path / "a.iso", {"readme.txt": "hello", "z.bin": noise}, label="PACKED")
    source.pages["/a.iso.gz"] = Page(gzip.compress(made.read_bytes()))
    source.pages["/a.iso.bz2"] = Page(bz2.compress(made.read_bytes()))
    told = doctor.examine(source.url("/a.iso.gz"))
    untold = doctor.examine(source.url("/a.iso.bz2"))
    assert told.report
    assert (told.report.volume_label, told.report.size) == ("PACKED", made.stat().st_size)
    assert "packed with bzip2" in said(untold, "image")
    assert (verdict(untold, "image"), untold.report, untold.importable) == ("notice", None, True)
    assert [request.target for request in source.requests].count("/a.iso.gz") == 1


def test_a_bomb_is_unpacked_to_a_bound(doctor: Doctor, source: HostileSource) -> None:
    """What a few bytes unpack to without end is looked at as far as its beginning goes, and refused."""
    source.pages["/a.iso.gz"] = Page(gzip.compress(bytes(200 << 20)))
    tracemalloc.start()
    try:
        diagnosis = doctor.examine(source.url("/a.iso.gz"))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert problems(diagnosis) == ["image"]
    assert "no ISO image" in said(diagnosis, "image")


def test_a_damaged_archive(doctor: Doctor, source: HostileSource, data: bytes) -> None:
    """An archive that cannot be unpacked is a problem of the image."""
    source.pages["/a.iso.gz"] = Page(gzip.compress(data)[:20] + b"\xff" * 1000)
    diagnosis = doctor.examine(source.url("/a.iso.gz"))
    assert problems(diagnosis) == ["image"]
    assert "cannot be unpacked" in said(diagnosis, "image")


def test_bounds_of_size(doctor: Doctor, source: HostileSource, url: str, data: bytes) -> None:
    """Too large for the settings, the disk or the environment: each is a problem of its own, with what to do."""
    source.pages["/large.iso"] = Page(data, headers={"Content-Range": f"bytes 0-{len(data) - 1}/{1 << 40}"})
    assert "size" in problems(doctor.examine(source.url("/large.iso")))
    assert problems(doctor.examine(url, room=len(data), quota_left=len(data))) == []
    assert problems(doctor.examine(url, room=len(data) - 1)) == ["space"]
    assert problems(doctor.examine(url, quota_left=len(data) - 1)) == ["quota"]
    assert problems(doctor.examine(url, quota_left=0, full="There are three ISOs already.")) == ["quota"]
    assert said(doctor.examine(url, full="There are three ISOs already."), "quota") == "There are three ISOs already."
    assert "ISOBAY_DATA_DIR" in said(doctor.examine(url, room=0), "space")
    for room in (0, len(data) - 1, len(data), 1 << 40):
        assert not re.search(r"\d", said(doctor.examine(url, room=room), "space"))  # what others keep would show in it


@pytest.mark.parametrize("place", [f"{NAME}.sha256", "/pool/SHA256SUMS", "/pool/sha256sum.txt", "/pool/CHECKSUM"])
def test_a_checksum_beside_the_image(doctor: Doctor, source: HostileSource, url: str, data: bytes, place: str) -> None:
    """Where publishers put a checksum it is found, and named so that an import can be checked by it."""
    digest = sha256(data).hexdigest()
    source.pages[place] = Page(f"{'1' * 64}  other.iso\n{digest}  debian.iso\n".encode())
    diagnosis = doctor.examine(url)
    assert (diagnosis.checksum, diagnosis.checksum_source) == (f"sha256:{digest}", source.url(place))
    assert verdict(diagnosis, "checksum") == "ok"
    assert "checksumUrl" in said(diagnosis, "checksum")
    assert len(source.requests) <= 8
    assert all("range" not in request.headers for request in source.requests if request.target == place)


@pytest.mark.parametrize(
    "page",
    [
        Page(b"1" * 64 + b"  other.iso\n"),
        Page(b"<html>debian.iso</html>", content_type="text/html"),
        Page(b"debian.iso " * 100_000),
        Page.redirect("http://10.0.0.1/"),
        Page(endless=True),
    ],
    ids=["of another", "page", "large", "refused", "endless"],
)
def test_what_lies_beside_and_is_no_promise(doctor: Doctor, source: HostileSource, url: str, page: Page) -> None:
    """A file in the checksums' place that does not speak of the image is passed over, and hinders nothing."""
    source.pages["/pool/SHA256SUMS"] = page
    diagnosis = doctor.examine(url)
    assert (verdict(diagnosis, "checksum"), diagnosis.checksum) == ("notice", "")
    assert "give it as checksum" in said(diagnosis, "checksum")
    assert diagnosis.importable
    assert diagnosis.bytes <= 1 << 20


def test_a_checksum_that_is_named(doctor: Doctor, source: HostileSource, url: str) -> None:
    """The file that an import is to be checked by is asked for and no other; without it the import would fail."""
    source.pages["/sums"] = Page(b"a" * 32 + b"  debian.iso\n" + b"b" * 32 + b"  other.iso\n")
    found = doctor.examine(url, checksum_url=source.url("/sums"))
    missing = doctor.examine(url, checksum_url=source.url("/nowhere"))
    refused = doctor.examine(url, checksum_url="http://10.0.0.1/sums")
    source.pages["/other"] = Page(source.pages[NAME].data)
    unlisted = doctor.examine(source.url("/other"), checksum_url=source.url("/sums"))
    assert (found.checksum, problems(found)) == (f"md5:{'a' * 32}", [])
    assert problems(missing) == problems(refused) == problems(unlisted) == ["checksum"]
    assert {request.target for request in source.requests} == {NAME, "/sums", "/nowhere", "/other"}
    assert missing.report == found.report
