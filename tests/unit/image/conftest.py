"""Media for the reader's tests: those of Debian packages, and ones made by the usual tools."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fuzz.corpus import source_tree
from isobay.image import Image, open_path

PACKAGED = {
    "memtest-x64": ("/usr/lib/memtest86+/memtest86+x64.iso", "memtest86+"),
    "memtest-ia32": ("/usr/lib/memtest86+/memtest86+ia32.iso", "memtest86+"),
    "ipxe": ("/usr/lib/ipxe/ipxe.iso", "ipxe"),
    "grub-rescue": ("/usr/lib/grub-rescue/grub-rescue-cdrom.iso", "grub-rescue-pc"),
}
BOOT = ("-c", "boot.cat", "-b", "boot.img", "-no-emul-boot", "-boot-load-size", "4")
EFI = ("-eltorito-alt-boot", "-e", "efi.img", "-no-emul-boot")
XORRISO = ("xorriso", "-as", "mkisofs", "-quiet", "-V", "XORRISO_1")
GENISO = ("genisoimage", "-quiet", "-V", "GENISO_1", "-publisher", "ISOBAY TESTS")
RECIPES: dict[str, tuple[str, ...]] = {
    "geniso-plain": (*GENISO, "-iso-level", "1"),
    "geniso-rockridge": (*GENISO, "-R", "-J", *BOOT),
    "geniso-joliet": (*GENISO, "-J", "-joliet-long"),
    "geniso-enhanced": (*GENISO, "-iso-level", "4"),
    "geniso-bridge": (*GENISO, "-udf", "-J", "-joliet-long", *BOOT, *EFI),
    "xorriso-plain": (*XORRISO, "--norock", "-iso-level", "3"),
    "xorriso-rockridge": (*XORRISO, "-R", *BOOT, *EFI),
    "xorriso-joliet": (*XORRISO, "-J", "-joliet-long", "--norock", *BOOT),
    "xorriso-hybrid": (
        *XORRISO,
        *("-R", "-J", *BOOT, *EFI, "-efi-boot-part", "--efi-boot-image", "--protective-msdos-label"),
    ),
}


def packaged(name: str) -> Path:
    """Return the path of an ISO of a Debian package, or fail with the package's name."""
    path, package = PACKAGED[name]
    if not Path(path).exists():
        pytest.fail(f"{path} is missing: install the Debian package {package}")
    return Path(path)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a tool and return what it printed; a failure fails the test with its words."""
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False, cwd=cwd)
    if done.returncode:
        pytest.fail(f"{command[0]} failed (its package is a test dependency): {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")


@pytest.fixture(scope="session")
def source_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the files that the made images hold."""
    return source_tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="session")
def made(source_files: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make an image with every recipe: name to path."""
    directory = tmp_path_factory.mktemp("made")
    for name, command in RECIPES.items():
        run(*command, "-o", directory / f"{name}.iso", source_files)
    return {name: directory / f"{name}.iso" for name in RECIPES}


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Close what the test opens."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def open_medium(opened: ExitStack, request: pytest.FixtureRequest):
    """Return a function that opens a packaged or made image by its name."""

    def open_by_name(name: str) -> Image:
        path = packaged(name) if name in PACKAGED else request.getfixturevalue("made")[name]
        return opened.enter_context(open_path(path))

    return open_by_name


@pytest.fixture
def path_of(request: pytest.FixtureRequest):
    """Return a function that gives the path of a packaged or made image by its name."""
    return lambda name: packaged(name) if name in PACKAGED else request.getfixturevalue("made")[name]


@pytest.fixture
def run_tool():
    """Return the function that runs a tool."""
    return run
