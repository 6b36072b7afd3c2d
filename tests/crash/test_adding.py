"""``isobay add`` killed at any moment: afterwards the shelf is whole, and nothing is left over."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from images import image
from isobay.app import Isobay, build
from isobay.model import Listing, read_record
from isobay.settings import Settings
from service import environment

KILLS = 25
SEED = 20261123


@pytest.fixture(scope="module")
def large_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that takes a noticeable time to copy and to hash."""
    content = random.Random(SEED).randbytes(48 << 20)
    return image(tmp_path_factory.mktemp("images") / "large.iso", {"payload.bin": content}, label="LARGE")


@pytest.fixture
def built(tmp_path: Path) -> Isobay:
    """What lies behind a data directory."""
    return build(Settings.load({}, data_dir=tmp_path / "data"))


def test_a_kill_at_any_moment_leaves_a_whole_shelf(built: Isobay, large_image: Path):
    """Every ISO that is listed has its bytes, every object has its ISO, and the next add works."""
    chance = random.Random(SEED)
    digest = hashlib.sha256(large_image.read_bytes()).hexdigest()
    command = [sys.executable, "-m", "isobay", "add", str(large_image), "--data-dir", str(built.settings.data_dir)]
    started = time.monotonic()
    subprocess.run(command, env=environment(), check=True, capture_output=True)
    whole = time.monotonic() - started
    finished = 1
    for _ in range(KILLS):
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            # The time-out is the moment of the kill, not a wait for something.
            finished += process.wait(timeout=chance.uniform(0.3, 1.1) * whole) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        built.sweep()
        _check(built, digest)
    assert finished <= _count(built)


def _count(built: Isobay) -> int:
    visit = built.door.operate("test_area")
    return visit.engine.list_isos(visit.place, Listing(limit=1)).total


def _check(built: Isobay, digest: str) -> None:
    visit = built.door.operate("test_area")
    isos = [read_record(record) for record in visit.engine.list_isos(visit.place, Listing(limit=1000)).items]
    objects = list(built.settings.objects_dir.rglob("*.iso"))
    assert list(built.settings.objects_dir.rglob("*.part")) == []
    assert len(objects) == (1 if isos else 0)  # equal images are kept once
    assert all((iso.status, iso.ready, iso.checksums["sha256"]) == ("ready", True, digest) for iso in isos)
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == digest for path in objects[-1:])
