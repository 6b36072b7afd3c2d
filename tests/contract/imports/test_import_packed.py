"""Packed images are unpacked while they come, within the same limits."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import signal
import subprocess
from collections.abc import Callable
from hashlib import sha512
from pathlib import Path

import pytest
from desk import MAX_ISO_BYTES, Desk, digest, until

from hostile_source import HostileSource, Page
from service import serving

MIB = 1 << 20


def zst(data: bytes) -> bytes:
    """Pack by the tool that publishers use."""
    return subprocess.run(["zstd", "-q", "-1", "-c"], input=data, capture_output=True, check=True).stdout


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, 1),
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": zst,
}


@pytest.mark.parametrize("suffix", PACKERS)
def test_packed(desk: Desk, source: HostileSource, small: bytes, suffix: str) -> None:
    """A packed image becomes the image in it, also when its connection is cut on the way."""
    source.pages[f"/a.iso.{suffix}"] = Page(PACKERS[suffix](small), cut_every=3 * MIB)
    iso = desk.bring(source.url(f"/a.iso.{suffix}"))
    assert (iso["size"], iso["checksums"]["sha256"]) == (len(small), digest(small))
    assert (iso["osVersion"], iso["architecture"]) == ("14", "x86_64")
    assert [request.status for request in source.requests] == [200, 206]
    assert len(desk.files()) == 1  # the packed file is gone


def test_checksums_of_either(desk: Desk, source: HostileSource, small: bytes) -> None:
    """What is promised may be of the packed file or of the image; anything else fails and leaves nothing."""
    packed = gzip.compress(small, 1)
    source.pages["/a.iso.gz"] = Page(packed)
    url = source.url("/a.iso.gz")
    assert desk.bring(url, checksum=f"sha256:{digest(packed)}")["checksums"]["sha256"] == digest(small)
    assert desk.bring(url, checksum=f"sha512:{sha512(small).hexdigest()}")["ready"]
    before = desk.files()
    assert desk.fail(url, checksum=f"sha256:{digest(b'another')}").code == 2106
    assert desk.files() == before


@pytest.mark.parametrize("suffix", PACKERS)
def test_bombs(desk: Desk, source: HostileSource, head: bytes, suffix: str) -> None:
    """A small file that unpacks to more than ISOBAY_MAX_ISO_BYTES is stopped there, and nothing of it stays."""
    bomb = PACKERS[suffix](head + bytes(MAX_ISO_BYTES))
    assert len(bomb) < 4 * MIB
    source.pages["/a.iso"] = Page(bomb)
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.code, failure.context["reason"]) == (2104, "too-large")
    assert "ISOBAY_MAX_ISO_BYTES" in failure.message
    assert desk.files() == []


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("damage", ["a byte", "the end", "what follows"])
def test_damage(desk: Desk, source: HostileSource, small: bytes, suffix: str, damage: str) -> None:
    """A damaged archive is refused with a sentence, and nothing of it stays."""
    packed = bytearray(PACKERS[suffix](small))
    if damage == "a byte":
        middle = len(packed) // 2
        packed[middle : middle + 64] = bytes(64)
    elif damage == "the end":
        del packed[-MIB:]
    else:
        packed += b"and then there was more"
    source.pages["/a.iso"] = Page(bytes(packed))
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.code, failure.context["reason"]) == (2101, "damaged-archive")
    assert desk.files() == []


def test_packed_html(desk: Desk, source: HostileSource) -> None:
    """What is no image is none in an archive either, and is refused before all of it came."""
    page = Page(gzip.compress(os.urandom(8 * MIB), 1), stall_after=4 * MIB)
    source.pages["/a.iso.gz"] = page
    assert desk.fail(source.url("/a.iso.gz")).code == 2101


def test_killed_worker(tmp_path: Path, options: dict[str, str], source: HostileSource, small: bytes) -> None:
    """After a worker was killed the next one unpacks what is there and fetches only the rest."""
    packed = gzip.compress(small, 1)
    rest = Page(packed)
    page = Page(packed, stall_after=4 * MIB, times=1, then=rest)
    source.pages["/a.iso.gz"] = page
    with serving(tmp_path, **options) as service:
        desk = Desk(service)
        asked = desk.begin(source.url("/a.iso.gz"))
        assert page.stalled.wait(30)
        until(lambda: desk.task(asked)["bytesDone"] >= 4 * MIB, "the bytes to be told of")
        threads = Path(f"/proc/{service.process.pid}/task").iterdir()
        (worker,) = (int(child) for thread in threads for child in (thread / "children").read_text().split())
        os.kill(worker, signal.SIGKILL)
        iso = desk.ready(asked)
        assert (iso["checksums"]["sha256"], desk.iso(asked)["osVersion"]) == (digest(small), "14")
        first, second = source.requests
        assert (first.headers.get("range"), second.status) == (None, 206)
        assert second.sent < len(packed)
        assert len(desk.files()) == 1
