"""Describe an image in process: a sparse one of 9 GB and one of 20,000 files.

Beside pycdlib's open in process, and isoinfo -d and osinfo-detect as programs (with their start).
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pycdlib

from isobay.image import open_path

RUNS = 9
LARGE = 9_000_000_000
GROUPS, FILES = 20, 1000


def describe(path: Path) -> None:
    """Ask everything the report of an image needs."""
    with open_path(path) as image:
        assert image.formats
        assert image.volume_size
        assert image.bootable == bool(image.boot_modes)
        assert isinstance(image.boot_architectures, tuple)


def pycdlib_open(path: Path) -> None:
    """Open the image with pycdlib, which reads its whole tree."""
    disc = pycdlib.PyCdlib()
    disc.open(str(path))
    disc.close()


def program(*command: str) -> Callable[[Path], None]:
    """Return a function that runs a program on an image."""

    def run(path: Path) -> None:
        subprocess.run([*command, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    return run


def make_images(directory: Path) -> dict[str, Path]:
    """Make both images with genisoimage."""
    files = directory / "files"
    for group in range(GROUPS):
        (files / f"pool/{group:02d}").mkdir(parents=True)
        for number in range(FILES):
            (files / f"pool/{group:02d}/file-{number:04d}").touch()
    (files / "boot.img").write_bytes(b"\xeb\xfe".ljust(2048, b"\0"))
    boot = ("-b", "boot.img", "-c", "boot.cat", "-no-emul-boot")
    many, large, few = directory / "many.iso", directory / "large.iso", directory / "few"
    few.mkdir()
    shutil.copy(files / "boot.img", few / "boot.img")
    for source, made in ((files, many), (few, large)):
        subprocess.run(["genisoimage", "-quiet", "-R", "-J", *boot, "-o", made, source], check=True)
    with large.open("r+b") as file:
        blocks = LARGE // 2048
        file.seek(16 * 2048 + 80)
        file.write(blocks.to_bytes(4, "little") + blocks.to_bytes(4, "big"))
        file.truncate(blocks * 2048)
    return {"9 GB": large, "20,000 files": many}


def seconds(action: Callable[[Path], None], path: Path) -> float:
    """Time one run."""
    start = time.perf_counter()
    action(path)
    return time.perf_counter() - start


def main() -> int:
    """Measure, alternating, and print the medians and the ratios."""
    peers: dict[str, Callable[[Path], None]] = {"pycdlib": pycdlib_open}
    for name, command in {"isoinfo -d": ("isoinfo", "-d", "-i"), "osinfo-detect": ("osinfo-detect",)}.items():
        if shutil.which(command[0]):
            peers[name] = program(*command)
        else:
            print(f"{command[0]} is not installed: left out")
    with tempfile.TemporaryDirectory() as directory:
        for image, path in make_images(Path(directory)).items():
            times: dict[str, list[float]] = {name: [] for name in ("isobay", *peers)}
            for _ in range(RUNS):
                times["isobay"].append(seconds(describe, path))
                for name, peer in peers.items():
                    times[name].append(seconds(peer, path))
            ours = statistics.median(times.pop("isobay"))
            print(f"{image}: isobay describes in {ours * 1000:.2f} ms")
            for name, taken in times.items():
                theirs = statistics.median(taken)
                print(f"  {name}: {theirs * 1000:.2f} ms, {theirs / ours:.1f} times ours")
    return 0


if __name__ == "__main__":
    sys.exit(main())
