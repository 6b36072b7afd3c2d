"""What a look from afar costs, counted at the server, and that it sees as much as a look from near."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sentences import said, verdict

from hostile_source import HostileSource, Page
from images import PACKAGED, debian_like, image, packaged, windows_like
from isobay.image import open_path
from isobay.inspection.doctor import Doctor
from isobay.inspection.report import Report, report_on
from isobay.osdetect import Rules
from sources import nginx

REQUESTS = 8
BYTES = 1 << 20


def large(path: Path) -> Path:
    """An image with a pool of 20,000 packages, as Debian's larger media have."""
    files: dict[str, str | bytes] = {
        f"pool/main/{number % 23}/package{number % 500}/{number}.deb": b"!<arch>\n" for number in range(20_000)
    }
    files[".disk/info"] = 'Debian GNU/Linux 14.1.0 "Forky" - Official amd64 DVD Binary-1 with firmware 20271010-10:00'
    files["dists/forky/Release"] = "Origin: Debian\nCodename: forky\nVersion: 14.1\nArchitectures: amd64\n"
    return image(path, files, label="Debian 14.1.0 amd64 1")


MADE: dict[str, Callable[[Path], Path]] = {"debian": debian_like, "windows": windows_like, "large": large}


@pytest.fixture(params=[*PACKAGED, *MADE])
def medium(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give each image in a directory of its own."""
    target = tmp_path / "served" / "image.iso"
    target.parent.mkdir()
    if request.param in MADE:
        return MADE[request.param](target)
    target.write_bytes(packaged(request.param).read_bytes())
    return target


def near(path: Path, rules: Rules) -> Report:
    """The report with the file at hand."""
    with open_path(path) as opened:
        return report_on(opened, rules)


def test_eight_requests_and_a_mebibyte_tell_all(medium: Path, doctor: Doctor, rules: Callable[[], Rules]) -> None:
    """Of every real image the whole report comes, by at most 8 requests and 1 MiB, which the diagnosis counts right."""
    with nginx(medium.parent) as server:
        diagnosis = doctor.examine(server.url("/image.iso"))
        fetches = server.fetches()
    assert diagnosis.report == near(medium, rules())
    assert verdict(diagnosis, "image") == "ok"
    assert diagnosis.requests == len(fetches) <= REQUESTS
    parts = sum(fetch.sent for fetch in fetches if fetch.status == 206)
    assert parts <= diagnosis.bytes <= sum(fetch.sent for fetch in fetches) <= BYTES


def test_a_redirect_is_followed_once(source: HostileSource, doctor: Doctor, installer: Path) -> None:
    """After the first answer the file is asked for where it really is, and all together are 8 requests."""
    source.chain("/latest", 2, source.url("/debian.iso"))
    source.pages["/debian.iso"] = Page(installer.read_bytes())
    diagnosis = doctor.examine(source.url("/latest"))
    targets = [request.target for request in source.requests]
    assert targets[:4] == ["/latest", "/latest-1", "/debian.iso", "/debian.iso"]
    assert targets.count("/latest") == 1
    assert len(targets) == diagnosis.requests <= REQUESTS
    assert diagnosis.redirects == [source.url("/latest"), source.url("/latest-1")]
    assert diagnosis.final_url == source.url("/debian.iso")
    assert "redirects 2 times" in said(diagnosis, "redirect")
    assert diagnosis.importable


def test_no_server_gets_a_ninth_request(source: HostileSource, doctor: Doctor, tmp_path: Path) -> None:
    """Behind as many redirects as are followed, with checksums that redirect too, the look ends at eight requests."""
    medium = windows_like(tmp_path / "windows.iso")
    source.chain("/a/latest", 5, source.url("/windows.iso"))
    source.pages["/windows.iso"] = Page(medium.read_bytes())
    source.chain("/a/latest.sha256", 5, source.url("/nowhere"))
    diagnosis = doctor.examine(source.url("/a/latest"))
    assert len(source.requests) == diagnosis.requests == REQUESTS
    assert sum(request.sent for request in source.requests) <= BYTES
    assert diagnosis.importable
    assert diagnosis.report
    assert diagnosis.report.volume_label == "CCCOMA_X64FRE_EN-US_DV9"


def test_without_range_the_beginning_must_do(source: HostileSource, doctor: Doctor, installer: Path) -> None:
    """A server without Range is asked once and cut off: what its first bytes tell is told, as not being all."""
    source.pages["/debian.iso"] = Page(installer.read_bytes() + bytes(8 << 20), ranges=False)
    diagnosis = doctor.examine(source.url("/debian.iso"))
    assert [request.target for request in source.requests].count("/debian.iso") == 1
    assert (verdict(diagnosis, "range"), diagnosis.ranges) == ("notice", False)
    assert verdict(diagnosis, "image") == "notice"
    assert "an import will tell" in said(diagnosis, "image")
    assert diagnosis.report
    assert diagnosis.report.volume_label == "Debian 14.1.0 amd64 n"
    assert diagnosis.importable
