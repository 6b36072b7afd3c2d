"""Which processors an image boots on, from what its boot files themselves say.

A loader's name in /EFI/BOOT is fixed by UEFI 2.10 §3.5.1.1; the Machine field of its PE header (PE Format §3.3.1)
says the same with authority. Names of architectures are libosinfo's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from isobay.errors import ImageError
from isobay.image.eltorito import BootCatalog
from isobay.image.entry import Entry, Extent, Hierarchy, read_extents
from isobay.image.fat import open_fat
from isobay.image.source import Source

__all__ = ["BootEvidence", "boot_evidence", "find_small", "is_s390_loader"]

DIRECTORY_BYTES = 64 * 1024
"""Bytes of a directory searched: boot media have small directories on the way to their loaders."""

MOST_LOADERS = 16
HEADER_BYTES = 1024
"""First bytes of a loader or kernel looked at."""

_MACHINES = {
    0x8664: "x86_64",
    0x014C: "i686",
    0xAA64: "aarch64",
    0x01C0: "armv7l",
    0x01C2: "armv7l",
    0x01C4: "armv7l",
    0x5064: "riscv64",
    0x6264: "loongarch64",
    0x0200: "ia64",
}
_LOADERS = {
    "bootx64.efi": "x86_64",
    "bootia32.efi": "i686",
    "bootaa64.efi": "aarch64",
    "bootarm.efi": "armv7l",
    "bootriscv64.efi": "riscv64",
    "bootloongarch64.efi": "loongarch64",
    "bootia64.efi": "ia64",
}
_GRUB_DIRECTORIES = {
    "x86_64-efi": "x86_64",
    "i386-efi": "i686",
    "arm64-efi": "aarch64",
    "arm-efi": "armv7l",
    "riscv64-efi": "riscv64",
    "loongarch64-efi": "loongarch64",
    "ia64-efi": "ia64",
}
_KERNELS = (
    "images/pxeboot/vmlinuz",
    "isolinux/vmlinuz",
    "isolinux/linux",
    "casper/vmlinuz",
    "live/vmlinuz",
    "install.amd/vmlinuz",
    "install.386/vmlinuz",
    "install/vmlinux",
    "install/vmlinuz",
    "boot/vmlinuz",
    "boot/vmlinux",
    "boot/x86_64/loader/linux",
    "boot/i386/loader/linux",
    "boot/ppc64le/linux",
    "arch/boot/x86_64/vmlinuz-linux",
    "ppc/ppc64/vmlinuz",
)
_ORDER = (
    "x86_64",
    "aarch64",
    "riscv64",
    "ppc64le",
    "ppc64",
    "s390x",
    "loongarch64",
    "ia64",
    "i686",
    "armv7l",
    "ppc",
)


@dataclass(frozen=True, slots=True)
class BootEvidence:
    """What proves an architecture: a path in the image, or one in the boot image named before it."""

    architecture: str
    path: str


def boot_evidence(source: Source, hierarchy: Hierarchy | None, boot: BootCatalog | None) -> tuple[BootEvidence, ...]:
    """Return one piece of evidence for each architecture, 64-bit ones first.

    What cannot be read, as in the missing part of an unfinished download, proves nothing. Kernels and BIOS loaders
    are asked only when no EFI loader speaks, for a BIOS loader is 32-bit code whatever it loads.
    """
    found: dict[str, BootEvidence] = {}
    for probe in (_tree_loaders, _grub_directories, _boot_image_loaders, _s390_loaders):
        _gather(found, probe(source, hierarchy, boot))
    if not found:
        _gather(found, _kernels(source, hierarchy))
    if not found and hierarchy is not None:
        _gather(found, _bios_grub(hierarchy))
    return tuple(found[name] for name in sorted(found, key=_ORDER.index))


def find_small(hierarchy: Hierarchy, path: str) -> Entry | None:
    """Find a path without regard to case, in the first ``DIRECTORY_BYTES`` of each directory on the way."""
    here = hierarchy.root()
    for name in path.split("/"):
        if here.kind != "directory":
            return None
        found = hierarchy.child(_first_part(here), name, ignore_case=True)
        if found is None:
            return None
        here = found
    return here


def is_s390_loader(source: Source, offset: int) -> bool:
    """Say whether a boot image begins with the program status word of an s390 initial program load.

    Media for s390x carry it in an El Torito entry for x86, for want of a platform of their own.
    """
    if offset + 8 > source.size:
        return False
    word = source.read(offset, 8)
    return word[:4] == b"\x00\x08\x00\x00" and word[4] == 0x80


def _gather(found: dict[str, BootEvidence], evidence: Iterator[BootEvidence]) -> None:
    try:
        for piece in evidence:
            found.setdefault(piece.architecture, piece)
    except ImageError as error:
        if error.context.get("reason") == "too-complex":
            raise


def _first_part(directory: Entry) -> Entry:
    if directory.size <= DIRECTORY_BYTES or not directory.extents:
        return directory
    first = directory.extents[0]
    size = min(first.size, DIRECTORY_BYTES)
    return replace(directory, size=size, extents=(Extent(first.offset, size),))


def _tree_loaders(source: Source, hierarchy: Hierarchy | None, _: BootCatalog | None) -> Iterator[BootEvidence]:
    directory = find_small(hierarchy, "EFI/BOOT") if hierarchy else None
    if hierarchy is None or directory is None or directory.kind != "directory":
        return
    loaders = 0
    for entry in hierarchy.children(_first_part(directory)):
        named = _LOADERS.get(entry.name.lower())
        if named and entry.kind == "file":
            yield BootEvidence(_machine(_first_bytes(source, entry)) or named, entry.path)
            loaders += 1
        if loaders >= MOST_LOADERS:
            return


def _grub_directories(_: Source, hierarchy: Hierarchy | None, __: BootCatalog | None) -> Iterator[BootEvidence]:
    grub = find_small(hierarchy, "boot/grub") if hierarchy else None
    if hierarchy is None or grub is None or grub.kind != "directory":
        return
    for name, architecture in _GRUB_DIRECTORIES.items():
        entry = hierarchy.child(_first_part(grub), name, ignore_case=True)
        if entry is not None and entry.kind == "directory":
            yield BootEvidence(architecture, entry.path)


def _bios_grub(hierarchy: Hierarchy) -> Iterator[BootEvidence]:
    entry = find_small(hierarchy, "boot/grub/i386-pc")
    if entry is not None and entry.kind == "directory":
        yield BootEvidence("i686", entry.path)


def _boot_image_loaders(source: Source, _: Hierarchy | None, boot: BootCatalog | None) -> Iterator[BootEvidence]:
    for number, entry in enumerate(boot.entries if boot else (), 1):
        if not entry.bootable or entry.platform != "efi":
            continue
        volume = open_fat(source, entry.offset)
        if volume is None:
            continue
        for loaders, file in enumerate(volume.directory(("EFI", "BOOT"))):
            named = _LOADERS.get(file.name.lower())
            if named and not file.is_directory:
                architecture = _machine(volume.read(file, HEADER_BYTES)) or named
                yield BootEvidence(architecture, f"El Torito boot image {number}: /EFI/BOOT/{file.name}")
            if loaders >= 4 * MOST_LOADERS:
                break


def _s390_loaders(source: Source, _: Hierarchy | None, boot: BootCatalog | None) -> Iterator[BootEvidence]:
    for number, entry in enumerate(boot.entries if boot else (), 1):
        if entry.bootable and entry.platform == "x86" and is_s390_loader(source, entry.offset):
            yield BootEvidence("s390x", f"El Torito boot image {number}")


def _kernels(source: Source, hierarchy: Hierarchy | None) -> Iterator[BootEvidence]:
    for path in _KERNELS if hierarchy else ():
        entry = find_small(hierarchy, path) if hierarchy else None
        if entry is not None and entry.kind == "file":
            architecture = _kernel_architecture(_first_bytes(source, entry))
            if architecture:
                yield BootEvidence(architecture, entry.path)


def _first_bytes(source: Source, entry: Entry) -> bytes:
    return read_extents(source, entry.extents, 0, min(entry.size, HEADER_BYTES))


def _machine(data: bytes) -> str | None:
    """Return the architecture of a PE image, or None when ``data`` does not begin one."""
    at = int.from_bytes(data[60:64], "little")
    if data[:2] != b"MZ" or data[at : at + 4] != b"PE\0\0":
        return None
    return _MACHINES.get(int.from_bytes(data[at + 4 : at + 6], "little"))


def _kernel_architecture(data: bytes) -> str | None:
    """Return the architecture of a Linux kernel image, or None when its header does not say."""
    if data[0x202:0x206] == b"HdrS" and int.from_bytes(data[0x206:0x208], "little") >= 0x020C:
        # Linux x86 boot protocol 2.12: bit 0 of xloadflags is XLF_KERNEL_64
        return "x86_64" if data[0x236] & 1 else "i686"
    if data[56:60] == b"ARM\x64":
        return "aarch64"
    if data[56:60] == b"RSC\x05":
        return "riscv64"
    if data[:4] == b"\x7fELF" and len(data) > 20:
        little = data[5] == 1
        machine = int.from_bytes(data[18:20], "little" if little else "big")
        return {20: "ppc", 21: "ppc64le" if little else "ppc64", 22: "s390x", 62: "x86_64", 183: "aarch64"}.get(machine)
    return None
