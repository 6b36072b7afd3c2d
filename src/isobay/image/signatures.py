"""What a file is when it is no ISO image, or is one and something else besides."""

from __future__ import annotations

from isobay.errors import ImageError
from isobay.image.source import SECTOR, Source, damaged

__all__ = ["SMALLEST", "container", "refusal"]

SMALLEST = 17 * SECTOR  # the first descriptor is in sector 16 (ECMA-119 6.2.1, ECMA-167 2/8.3)

_DISK = "Convert it to a disk image of the right kind, or add the original ISO"
_UNPACK = "Unpack it first, then add the ISO inside"

# reason, what it is called, what to do, offset, bytes: formats a program may take the file for by its first bytes
_CONTAINERS: tuple[tuple[str, str, str, int, bytes], ...] = (
    ("qcow2", "a qcow2 disk image (QEMU)", _DISK, 0, b"QFI\xfb"),
    ("qed", "a QED disk image (QEMU)", _DISK, 0, b"QED\0"),
    ("vmdk", "a VMDK disk image (VMware)", _DISK, 0, b"KDMV"),
    ("vmdk", "a VMDK disk image (VMware)", _DISK, 0, b"COWD"),
    ("vmdk", "a VMDK descriptor (VMware)", _DISK, 0, b"# Disk DescriptorFile"),
    ("vdi", "a VDI disk image (VirtualBox)", _DISK, 64, b"\x7f\x10\xda\xbe"),
    ("vhdx", "a VHDX disk image (Hyper-V)", _DISK, 0, b"vhdxfile"),
    ("vhd", "a VHD disk image (Virtual PC)", _DISK, 0, b"conectix"),
    ("parallels", "a Parallels disk image", _DISK, 0, b"WithoutFreeSpace"),
    ("parallels", "a Parallels disk image", _DISK, 0, b"WithouFreSpacExt"),
    ("bochs", "a Bochs disk image", _DISK, 0, b"Bochs Virtual HD Image"),
    ("luks", "an encrypted LUKS volume", "Decrypt it first", 0, b"LUKS\xba\xbe"),
    ("gzip", "compressed with gzip", _UNPACK, 0, b"\x1f\x8b"),
    ("xz", "compressed with xz", _UNPACK, 0, b"\xfd7zXZ\0"),
    ("bzip2", "compressed with bzip2", _UNPACK, 0, b"BZh"),
    ("zstd", "compressed with Zstandard", _UNPACK, 0, b"\x28\xb5\x2f\xfd"),
    ("lz4", "compressed with LZ4", _UNPACK, 0, b"\x04\x22\x4d\x18"),
    ("zip", "a ZIP archive", _UNPACK, 0, b"PK\x03\x04"),
    ("7z", "a 7-Zip archive", _UNPACK, 0, b"7z\xbc\xaf\x27\x1c"),
    ("rar", "a RAR archive", _UNPACK, 0, b"Rar!\x1a\x07"),
    ("wim", "a Windows image file (WIM)", "Add the ISO it came on", 0, b"MSWIM\0\0\0"),
    ("raw-cd", "a raw CD image with 2352-byte sectors", "Convert it with bchunk", 0, b"\0" + b"\xff" * 10 + b"\0"),
)

_OTHERS: tuple[tuple[str, str, str, int, bytes], ...] = (
    ("tar", "a tar archive", _UNPACK, 257, b"ustar"),
    ("pdf", "a PDF document", "Look again at where it came from", 0, b"%PDF-"),
    ("elf", "a program (ELF)", "Look again at where it came from", 0, b"\x7fELF"),
    ("squashfs", "a SquashFS file system without an ISO around it", "Add the ISO it came from", 0, b"hsqs"),
    ("ext", "an ext2, ext3 or ext4 file system", "Make an ISO of its files", 1080, b"\x53\xef"),
    ("high-sierra", "a High Sierra disc, the predecessor of ISO 9660", "Make a new ISO of its files", 32777, b"CDROM"),
)

_HTML = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--", b"<script", b"<body")


def container(head: bytes) -> tuple[str, str, str] | None:
    """Return (reason, name, advice) of the container format that ``head`` starts as, or None."""
    for reason, name, advice, offset, magic in _CONTAINERS:
        # compared in full: "BZh" alone may be text, a bzip2 stream goes on with the level and the block magic
        if head[offset : offset + len(magic)] == magic and (reason != "bzip2" or head[4:10] == b"1AY&SY"):
            return reason, name, advice
    if _is_html(head):
        return "html", "a web page (HTML)", "Check the address: the server sent an error or a login page"
    return None


def refusal(source: Source, head: bytes) -> ImageError:
    """Say what the file is instead of a disk image: ``context["reason"]`` names it for programs."""
    known = container(head) or _other(head) or _by_its_end(source)
    if known is not None:
        reason, name, advice = known
        return damaged(f"This is {name}, not an ISO image. {advice}.", reason)
    if source.size < SMALLEST:
        return damaged(
            f"The file has {source.size} bytes, too few for an ISO image: its descriptors begin at byte 32768. "
            "It is incomplete or something else.",
            "too-short",
            size=source.size,
        )
    if head[510:512] == b"\x55\xaa" or head[512:520] == b"EFI PART":
        return damaged(
            "This is a raw disk image with a partition table but without an ISO 9660 or UDF volume. "
            "Add it as a disk, or add an ISO.",
            "raw-disk",
        )
    return damaged(
        "There is neither an ISO 9660 nor a UDF volume descriptor at byte 32768, so this is no ISO image. "
        "Check where the file came from.",
        "not-iso",
    )


def _other(head: bytes) -> tuple[str, str, str] | None:
    for reason, name, advice, offset, magic in _OTHERS:
        if head[offset : offset + len(magic)] == magic:
            return reason, name, advice
    return None


def _by_its_end(source: Source) -> tuple[str, str, str] | None:
    if source.size < 512:
        return None
    tail = source.read(source.size - 512, 512)
    if tail.startswith(b"conectix"):
        return "vhd", "a fixed-size VHD disk image (Virtual PC)", _DISK
    if tail.startswith(b"koly"):
        return "dmg", "an Apple disk image (DMG)", _DISK
    return None


def _is_html(head: bytes) -> bool:
    text = head[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith(_HTML)
