"""What is no image is refused with the truth, and what is one is not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from isobay.errors import ImageError
from isobay.image import open_image, open_path


def refusal(path: Path) -> ImageError:
    """Open a file that is to be refused, and return the error."""
    with pytest.raises(ImageError) as caught, open_path(path):
        pass
    return caught.value


@pytest.mark.parametrize(
    ("form", "options", "reason", "words"),
    [
        ("qcow2", (), "qcow2", "qcow2 disk image"),
        ("vmdk", (), "vmdk", "VMDK disk image"),
        ("vdi", (), "vdi", "VDI disk image"),
        ("vpc", (), "vhd", "VHD disk image"),
        ("vpc", ("-o", "subformat=fixed"), "vhd", "fixed-size VHD"),
        ("vhdx", (), "vhdx", "VHDX disk image"),
        ("qed", (), "qed", "QED disk image"),
        ("parallels", (), "parallels", "Parallels disk image"),
    ],
)
def test_disk_images_of_qemu_are_named(
    form: str, options: tuple[str, ...], reason: str, words: str, tmp_path: Path, run_tool
) -> None:
    """Every format that qemu-img writes is refused by its name."""
    path = tmp_path / "disk.iso"
    run_tool("qemu-img", "create", "-f", form, *options, path, "16M")
    error = refusal(path)
    assert error.context["reason"] == reason
    assert words in error.message


def test_compressed_images_are_to_be_unpacked_first(tmp_path: Path, path_of) -> None:
    """gzip, xz, bzip2, Zstandard and ZIP are named, with the advice to unpack them."""
    data = path_of("ipxe").read_bytes()
    (tmp_path / "x.gzip").write_bytes(gzip.compress(data, 1))
    (tmp_path / "x.xz").write_bytes(lzma.compress(data, preset=0))
    (tmp_path / "x.bzip2").write_bytes(bz2.compress(data, 1))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("ipxe.iso", data)
    (tmp_path / "x.zstd").write_bytes(b"\x28\xb5\x2f\xfd" + data)
    for reason in ("gzip", "xz", "bzip2", "zip", "zstd"):
        error = refusal(tmp_path / f"x.{reason}")
        assert error.context["reason"] == reason
        assert "Unpack it first" in error.message


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE html><html><body>404</body></html>", "html"),
        (b"\xef\xbb\xbf<HTML>" + b" " * 100_000, "html"),
        (b"short", "too-short"),
        (bytes(40_000), "not-iso"),
        (random.Random(2).randbytes(100_000), "not-iso"),
        (bytes(510) + b"\x55\xaa" + bytes(100_000), "raw-disk"),
        (b"\0" + b"\xff" * 10 + b"\0" + bytes(100_000), "raw-cd"),
        (b"MSWIM\0\0\0" + bytes(100_000), "wim"),
        (b"\x7fELF" + bytes(100_000), "elf"),
        (b"%PDF-1.7" + bytes(100_000), "pdf"),
    ],
)
def test_other_files_are_named(data: bytes, reason: str, tmp_path: Path) -> None:
    """Web pages, empty and short files, bare disks and the like are refused for what they are."""
    path = tmp_path / "file.iso"
    path.write_bytes(data)
    error = refusal(path)
    assert error.context["reason"] == reason
    assert error.message.endswith(".")


@pytest.mark.parametrize("magic", [b"QFI\xfb", b"KDMV", b"# Disk DescriptorFile", b"vhdxfile", b"\x1f\x8b", b"<html>"])
def test_an_iso_that_is_something_else_too_is_refused(magic: bytes, tmp_path: Path, path_of) -> None:
    """An ISO whose first bytes are also those of another format is a polyglot, whatever it boots."""
    data = bytearray(path_of("ipxe").read_bytes())
    data[: len(magic)] = magic
    path = tmp_path / "polyglot.iso"
    path.write_bytes(data)
    error = refusal(path)
    assert error.context["reason"] == "polyglot"
    assert error.context["also"] in ("qcow2", "vmdk", "vhdx", "gzip", "html")


def test_a_system_area_that_only_resembles_something_is_fine(path_of) -> None:
    """Letters that begin like bzip2, and boot code that ends like an MBR without a table, change nothing."""
    data = bytearray(path_of("geniso-plain").read_bytes())
    data[:20] = b"BZhello, system area"
    data[446:510] = b"\x90" * 64
    data[510:512] = b"\x55\xaa"
    image = open_image(lambda offset, size: bytes(data[offset : offset + size]), len(data))
    assert image.formats == ("iso9660",)


@pytest.mark.parametrize("name", ["ipxe", "grub-rescue", "memtest-x64", "xorriso-hybrid"])
def test_hybrid_images_are_isos(name: str, open_medium) -> None:
    """Boot code and partition tables in the system area do not make an ISO a polyglot."""
    assert "hybrid-mbr" in open_medium(name).formats


@pytest.mark.parametrize("name", ["grub-rescue", "ipxe", "geniso-bridge", "memtest-x64"])
def test_a_truncated_image_is_refused_with_both_sizes(name: str, tmp_path: Path, path_of, opened: ExitStack) -> None:
    """A volume larger than its file is refused, and still described when that is asked for.

    memtest86+ keeps its EFI boot image in a partition behind the volume; that counts like the volume.
    """
    data = path_of(name).read_bytes()
    path = tmp_path / "truncated.iso"
    path.write_bytes(data[: len(data) * 6 // 10])
    error = refusal(path)
    assert error.context["reason"] == "truncated"
    assert error.context["size"] == path.stat().st_size
    assert str(error.context["volume_size"]) in error.message
    assert str(error.context["size"]) in error.message
    image = opened.enter_context(open_path(path, allow_truncated=True))
    assert error.context["volume_size"] > image.size
    assert "iso9660" in image.formats


def test_missing_padding_is_forgiven_and_missing_content_is_not(tmp_path: Path, source_files: Path, run_tool) -> None:
    """The 150 sectors mkisofs pads with may be missing; one sector of a file may not (README of mkisofs, -pad)."""
    made = tmp_path / "padded.iso"
    run_tool("genisoimage", "-quiet", "-R", "-pad", "-o", made, source_files)
    data = made.read_bytes()
    with open_path(made) as image:
        last = max(
            e.offset + e.size for entry in image.walk() for e in entry.extents if e.size and e.offset is not None
        )
    assert len(data) - last > 100 * 2048
    whole = (last + 2047) // 2048 * 2048
    cut = tmp_path / "cut.iso"
    cut.write_bytes(data[:whole])
    with open_path(cut) as image:
        assert image.read("/data.bin") == (source_files / "data.bin").read_bytes()
    cut.write_bytes(data[: whole - 2048])
    assert refusal(cut).context["reason"] == "truncated"


def test_a_size_that_is_not_true_is_an_image_error(path_of) -> None:
    """When read_at gives less than the size promised, the image changed or was cut off: ImageError beyond-end."""
    data = path_of("ipxe").read_bytes()
    with pytest.raises(ImageError) as caught:
        open_image(lambda offset, size: data[:60_000][offset : offset + size], len(data))
    assert caught.value.context["reason"] == "beyond-end"


def test_a_descriptor_with_an_impossible_block_size_is_damaged(path_of) -> None:
    """Logical blocks have 512, 1024 or 2048 bytes (ECMA-119 6.2.2); anything else is damage, and said so."""
    data = bytearray(path_of("geniso-plain").read_bytes())
    data[16 * 2048 + 128 : 16 * 2048 + 132] = b"\3\0\0\3"
    with pytest.raises(ImageError, match="logical block size of 3 bytes") as caught:
        open_image(lambda offset, size: bytes(data[offset : offset + size]), len(data))
    assert caught.value.context["reason"] == "damaged"
