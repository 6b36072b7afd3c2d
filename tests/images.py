"""Disk images for the tests, made by the tools that make real ones."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGED = {
    "memtest86+x64": Path("/usr/lib/memtest86+/memtest86+x64.iso"),
    "memtest86+ia32": Path("/usr/lib/memtest86+/memtest86+ia32.iso"),
    "ipxe": Path("/usr/lib/ipxe/ipxe.iso"),
    "grub-rescue": Path("/usr/lib/grub-rescue/grub-rescue-cdrom.iso"),
}
"""Bootable images that Debian's packages memtest86+, ipxe and grub-rescue-pc bring."""


def packaged(name: str) -> Path:
    """A packaged image; skips where its package is not installed."""
    path = PACKAGED[name]
    if not path.exists():
        pytest.skip(f"{path} is missing: install the Debian packages memtest86+, ipxe and grub-rescue-pc")
    return path


def tool(name: str) -> str:
    """A tool's path; skips where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing: install Debian's xorriso and genisoimage")
    return found


def image(path: Path, files: dict[str, str | bytes], *options: str, label: str = "TEST") -> Path:
    """Make an ISO with Rock Ridge and Joliet that holds some files."""
    tree = path.with_suffix(".tree")
    for name, content in files.items():
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    tree.mkdir(parents=True, exist_ok=True)
    command = [tool("genisoimage"), "-quiet", "-o", str(path), "-V", label, "-J", "-R", *options, str(tree)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)
    return path


def debian_like(path: Path) -> Path:
    """An image such as Debian's installer, of a release that no rules of today know."""
    files = {
        ".disk/info": 'Debian GNU/Linux 14.1.0 "Forky" - Official amd64 NETINST with firmware 20271010-10:00',
        "dists/forky/Release": "Origin: Debian\nSuite: stable\nCodename: forky\nVersion: 14.1\nArchitectures: amd64\n",
        "isolinux/isolinux.bin": b"\xeb\xfe".ljust(4096, b"\0"),
        "boot/grub/efi.img": _efi_image(path.with_suffix(".fat"), "BOOTX64.EFI"),
    }
    boot = ("-b", "isolinux/isolinux.bin", "-no-emul-boot", "-boot-load-size", "4", "-c", "isolinux/boot.cat")
    efi = ("-eltorito-alt-boot", "-e", "boot/grub/efi.img", "-no-emul-boot")
    return image(path, files, *boot, *efi, label="Debian 14.1.0 amd64 n")


def windows_like(path: Path) -> Path:
    """An image such as Windows' own: the files in UDF, a setup, and a build number newer than old rules."""
    files = {
        "setup.exe": b"MZ",
        "sources/idwbinfo.txt": "[BUILDINFO]\r\nBuildArch=amd64\r\nBuildBranch=ge_release\r\n",
        "sources/install.wim": _wim(),
        "boot/etfsboot.com": b"\xeb\xfe".ljust(4096, b"\0"),
        "efi/microsoft/boot/efisys.bin": _efi_image(path.with_suffix(".fat"), "BOOTX64.EFI"),
        "efi/boot/bootx64.efi": _pe(),
    }
    boot = ("-udf", "-b", "boot/etfsboot.com", "-no-emul-boot", "-boot-load-size", "8")
    efi = ("-eltorito-alt-boot", "-e", "efi/microsoft/boot/efisys.bin", "-no-emul-boot")
    return image(path, files, *boot, *efi, label="CCCOMA_X64FRE_EN-US_DV9")


def _pe() -> bytes:
    header = bytearray(512)
    header[:2] = b"MZ"
    header[0x3C:0x40] = (64).to_bytes(4, "little")
    header[64:70] = b"PE\0\0" + (0x8664).to_bytes(2, "little")
    return bytes(header)


def _efi_image(path: Path, loader: str) -> bytes:
    """A FAT image with a loader in /EFI/BOOT."""
    path.write_bytes(bytes(1440 * 1024))
    executable = path.with_suffix(".efi")
    executable.write_bytes(_pe())
    for command in (
        [tool("mformat"), "-i", str(path), "-f", "1440", "::"],
        [tool("mmd"), "-i", str(path), "::/EFI", "::/EFI/BOOT"],
        [tool("mcopy"), "-i", str(path), str(executable), f"::/EFI/BOOT/{loader}"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    content = path.read_bytes()
    path.unlink()
    executable.unlink()
    return content


def _wim() -> bytes:
    """The header of a WIM and its XML: what says which Windows it is (MS-WIM 2.2)."""
    text = (
        '<WIM><IMAGE INDEX="1"><NAME>Windows 11 Pro</NAME><WINDOWS><ARCH>9</ARCH><PRODUCTNAME>Microsoft® Windows®'
        " Operating System</PRODUCTNAME><EDITIONID>Professional</EDITIONID><INSTALLATIONTYPE>Client</INSTALLATIONTYPE>"
        "<LANGUAGES><LANGUAGE>en-US</LANGUAGE><DEFAULT>en-US</DEFAULT></LANGUAGES><VERSION><MAJOR>10</MAJOR>"
        "<MINOR>0</MINOR><BUILD>26100</BUILD><SPBUILD>1742</SPBUILD></VERSION></WINDOWS></IMAGE></WIM>"
    )
    xml = b"\xff\xfe" + text.encode("utf-16-le")
    header = bytearray(208)
    header[:8] = b"MSWIM\0\0\0"
    header[8:12] = (208).to_bytes(4, "little")
    header[0x48:0x50] = len(xml).to_bytes(7, "little") + b"\0"
    header[0x50:0x58] = (208).to_bytes(8, "little")
    header[0x58:0x60] = len(xml).to_bytes(8, "little")
    return bytes(header) + xml
