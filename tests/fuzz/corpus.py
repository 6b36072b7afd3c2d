"""Small real images of every kind, made by the usual tools, to be mutated in memory."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

from . import udf_media

SECTOR = 2048


def run(*command: str | Path) -> None:
    """Run a tool that makes images; what it says is shown only when it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False)
    assert done.returncode == 0, f"{command[0]} failed; its package is a test dependency: {done.stderr.decode()[-800:]}"


def source_tree(root: Path) -> Path:
    """Write a small tree: nested directories, a long name, a long symlink, files of several sizes."""
    deep = root / "one/two/three/four/five/six/seven/eight/nine"
    deep.mkdir(parents=True)
    (deep / "bottom.txt").write_text("the bottom\n")
    (root / "EFI/BOOT").mkdir(parents=True)
    (root / "EFI/BOOT/BOOTX64.EFI").write_bytes(pe_image(0x8664))
    (root / "boot/grub/i386-pc").mkdir(parents=True)
    (root / ("a long name " * 18)).write_text("long\n")
    (root / "empty").write_bytes(b"")
    (root / "data.bin").write_bytes(random.Random(1).randbytes(5000))
    (root / "link").symlink_to("one/two/three")
    (root / "longlink").symlink_to("/".join(["one", "..", "a" * 90, "b" * 90]))
    (root / "loop").symlink_to("loop")
    (root / "boot.img").write_bytes(b"\xeb\xfe".ljust(2048, b"\0"))
    (root / "efi.img").write_bytes(fat_image())
    return root


def pe_image(machine: int) -> bytes:
    """Make the first bytes of a PE image for a machine."""
    return (b"MZ".ljust(60, b"\0") + (64).to_bytes(4, "little") + b"PE\0\0" + machine.to_bytes(2, "little")).ljust(512)


def fat_image() -> bytes:
    """Make a FAT12 volume of 64 sectors with /EFI/BOOT/BOOTAA64.EFI and a loader with a long name."""
    boot = bytearray(512)
    boot[11:36] = bytes([0, 2, 1, 1, 0, 1, 16, 0, 64, 0, 0xF8, 1, 0]) + bytes(12)
    boot[510:512] = b"\x55\xaa"

    def entry(name: bytes, attributes: int, cluster: int, size: int) -> bytes:
        return (
            name.ljust(11)
            + bytes([attributes])
            + bytes(14)
            + cluster.to_bytes(2, "little")
            + size.to_bytes(4, "little")
        )

    fat = b"\xf8\xff\xff" + b"\xff\xff\xff" * 6
    long_name = "BOOTRISCV64.EFI\0".encode("utf-16-le").ljust(52, b"\xff")
    parts = [long_name[:26], long_name[26:]]
    lfn = b"".join(
        bytes([number]) + part[:10] + b"\x0f\0\0" + part[10:22] + b"\0\0" + part[22:26]
        for number, part in ((0x42, parts[1]), (0x01, parts[0]))
    )
    loaders = entry(b"BOOTAA64EFI", 0x20, 4, 512) + lfn + entry(b"BOOTRI~1EFI", 0x20, 5, 512)
    sectors = [
        bytes(boot),
        fat,
        entry(b"EFI", 0x10, 2, 0),
        entry(b"BOOT", 0x10, 3, 0),
        loaders,
        pe_image(0xAA64),
        pe_image(0x5064),
    ]
    return b"".join(sector.ljust(512, b"\0") for sector in sectors).ljust(64 * 512, b"\0")


def build(directory: Path) -> dict[str, bytes]:
    """Make the corpus: name to image."""
    tree = source_tree(directory / "tree")
    boot = ("-c", "boot.cat", "-b", "boot.img", "-no-emul-boot", "-boot-load-size", "4")
    efi = ("-eltorito-alt-boot", "-e", "efi.img", "-no-emul-boot")
    gpt = ("-efi-boot-part", "--efi-boot-image", "--protective-msdos-label")
    quiet = ("-quiet", "-no-pad", "-V", "FUZZ")
    recipes: dict[str, tuple[str, ...]] = {
        "plain": ("genisoimage", *quiet, "-iso-level", "3"),
        "rockridge": ("genisoimage", *quiet, "-R", *boot, *efi),
        "joliet": ("genisoimage", *quiet, "-J", "-joliet-long", *boot),
        "enhanced": ("genisoimage", *quiet, "-iso-level", "4", *boot),
        "bridge": ("genisoimage", *quiet, "-udf", "-J", "-joliet-long", *boot, *efi),
        "hybrid": ("xorriso", "-as", "mkisofs", *quiet, "-R", "-J", *boot, *efi, *gpt),
    }
    images: dict[str, bytes] = {}
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "TZ": "UTC"}
    for name, command in recipes.items():
        path = directory / f"{name}.iso"
        done = subprocess.run([*command, "-o", path, tree], capture_output=True, check=False, env=environment)
        assert done.returncode == 0, f"{command[0]} failed; install its package: {done.stderr.decode()[-800:]}"
        images[name] = path.read_bytes()
    images |= udf_media.build_all()
    return images
