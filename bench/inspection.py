"""The full inspection of an image, rules and all: a sparse one of 9 GB and one of 20,000 files.

In process beside pycdlib's open, and isoinfo -d and osinfo-detect as programs (with their start); then
`isobay inspect` as a program beside osinfo-detect.
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
from isobay.inspection import RulesShelf
from isobay.inspection.report import report_on
from isobay.osdetect import Rules

RUNS = 9
LARGE = 9_000_000_000
GROUPS, FILES = 20, 1000


def inspection(rules: Rules) -> Callable[[Path], None]:
    """Return a function that reports on an image, by rules that are loaded, as in the service."""

    def run(path: Path) -> None:
        with open_path(path) as image:
            assert report_on(image, rules).bootable

    return run


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
    command_line = program(str(Path(sys.executable).with_name("isobay")), "inspect", "--json")
    with tempfile.TemporaryDirectory() as directory:
        inspect = inspection(RulesShelf(Path(directory) / "rules", Path(directory) / "cache").rules())
        for image, path in make_images(Path(directory)).items():
            times: dict[str, list[float]] = {name: [] for name in ("isobay", *peers)}
            for _ in range(RUNS):
                times["isobay"].append(seconds(inspect, path))
                for name, peer in peers.items():
                    times[name].append(seconds(peer, path))
            ours = statistics.median(times.pop("isobay"))
            print(f"{image}: isobay inspects in {ours * 1000:.2f} ms in process")
            for name, taken in times.items():
                theirs = statistics.median(taken)
                print(f"  beside {name} {theirs * 1000:.2f} ms, ratio {ours / theirs:.4f}")
            if "osinfo-detect" in peers:
                pairs = [(seconds(command_line, path), seconds(peers["osinfo-detect"], path)) for _ in range(RUNS)]
                program_ours, program_theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
                ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
                print(
                    f"  `isobay inspect` {program_ours * 1000:.0f} ms beside osinfo-detect "
                    f"{program_theirs * 1000:.0f} ms, ratio {ratio:.2f}"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
