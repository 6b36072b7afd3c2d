"""Shelves, images and rules for the tests of the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from command_line import CommandLine

from servers import leave_out
from sources import Nginx, nginx

MEMTEST = Path("/usr/lib/memtest86+/memtest86+x64.iso")
IPXE = Path("/usr/lib/ipxe/ipxe.iso")
GRUB = Path("/usr/lib/grub-rescue/grub-rescue-cdrom.iso")
SHARED = Path(os.environ.get("ISOBAY_SHARED") or Path(__file__).parents[4] / "shared")


@pytest.fixture(scope="session")
def packaged() -> Mapping[str, Path]:
    """Give the ISOs of Debian's packages."""
    found = {"memtest": MEMTEST, "ipxe": IPXE, "grub": GRUB}
    for path in found.values():
        if not path.exists():
            leave_out(f"{path} is not there: install Debian's memtest86+, ipxe and grub-rescue-pc")
    return found


@pytest.fixture
def isobay(tmp_path: Path) -> CommandLine:
    """Run over a data directory that is not there yet."""
    return CommandLine(tmp_path / "data", tmp_path / "home")


@pytest.fixture(scope="session")
def mirror(packaged: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Serve those ISOs, and a file of their checksums, under ``/images/``."""
    images = tmp_path_factory.mktemp("mirror") / "images"
    images.mkdir()
    for path in packaged.values():
        shutil.copy(path, images)
    sums = (f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(images.iterdir()))
    (images / "SHA256SUMS").write_text("".join(sums))
    with nginx(images.parent) as server:
        yield server


@pytest.fixture
def importing(isobay: CommandLine) -> CommandLine:
    """Run over a data directory that is not there yet, and may fetch from this machine."""
    isobay.environ |= {"ISOBAY_ALLOWED_NETWORKS": "127.0.0.0/8", "ISOBAY_FETCH_RETRIES": "0"}
    return isobay


@pytest.fixture(scope="session")
def filled(packaged: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Run over a shelf with three ISOs, that no test may change."""
    root = tmp_path_factory.mktemp("filled")
    run = CommandLine(root / "data", root / "home")
    done = run("add", *packaged.values())
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def shelf(filled: CommandLine, tmp_path: Path) -> CommandLine:
    """Run over a copy of that shelf, to be changed."""
    shutil.copytree(filled.data_dir, tmp_path / "data", symlinks=True)
    return CommandLine(tmp_path / "data", tmp_path / "home")


@pytest.fixture(scope="session")
def rules_archive() -> Path:
    """Give osinfo-db of May 2026."""
    path = SHARED / "data" / "osinfo-db-20260517.tar.xz"
    if not path.exists():
        leave_out(f"{path} is not there; ISOBAY_SHARED says where else to look")
    return path


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image whose label and names hold what a terminal would obey."""
    root = tmp_path_factory.mktemp("hostile")
    tree = root / "tree"
    (tree / ".disk").mkdir(parents=True)
    (tree / ".disk" / "info").write_text('Ubuntu 24.04 LTS "Noble\x1b[31m" - Release amd64 (20240424)\n')
    (tree / "na\x1b]0;owned\x07me.txt").write_text("text\x1b[31m and \x9b5m more\n")
    (tree / "plain.txt").write_text("text\x1b[31m and more\n")
    (tree / "binary").write_bytes(b"\0\1\2\x1b[31m")
    image = root / "hostile.iso"
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-V", "LA\x1b[31mBEL", "-o", str(image), str(tree)]
    subprocess.run(command, check=True, capture_output=True)
    return image
