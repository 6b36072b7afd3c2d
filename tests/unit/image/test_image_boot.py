"""How an image boots and on what: catalogues, partition tables, loaders, kernels."""

from __future__ import annotations

import re
import struct
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest

from fuzz.corpus import fat_image, pe_image
from fuzz.hostile import ROOT, SECTOR, descriptor, record
from isobay.image import Image, open_image, open_path

CATALOG = 24


def section_entry(indicator: int, media: int, sectors: int, rba: int, criteria: bytes = b"") -> bytes:
    """Make a section entry (El Torito 1.0 §2.4)."""
    return (struct.pack("<BBHBBHI", indicator, media, 0x7C0, 6, 0, sectors, rba) + b"\1" + criteria).ljust(32, b"\0")


def section(last: bool, platform: int, count: int, name: bytes) -> bytes:
    """Make a section header (§2.3)."""
    return (struct.pack("<BBH", 0x91 if last else 0x90, platform, count) + name).ljust(32, b"\0")


def with_catalog(catalog: bytes, images: dict[int, bytes] | None = None, platform: int = 0, broken: int = 0) -> Image:
    """Open a small ISO with a boot catalogue after a validation entry for ``platform``."""
    validation = bytearray(struct.pack("<BBH", 1, platform, 0) + b"A MAKER".ljust(24, b"\0") + b"\0\0\x55\xaa")
    words = sum(struct.unpack("<16H", validation))
    validation[28:30] = struct.pack("<H", (-words + broken) & 0xFFFF)
    boot_record = b"\0CD001\1" + b"EL TORITO SPECIFICATION".ljust(32, b"\0") + bytes(32) + struct.pack("<I", CATALOG)
    dots = record(b"\0", ROOT, SECTOR, 2) + record(b"\1", ROOT, SECTOR, 2)
    sectors = {
        16: descriptor(100, record(b"\0", ROOT, SECTOR, 2)),
        17: boot_record,
        18: b"\xffCD001\1",
        ROOT: dots,
        CATALOG: bytes(validation) + catalog,
        **(images or {}),
    }
    data = bytearray(100 * SECTOR)
    for number, content in sectors.items():
        data[number * SECTOR : number * SECTOR + len(content)] = content
    return open_image(lambda offset, size: bytes(data[offset : offset + size]), len(data))


def test_every_section_and_extension_of_the_catalogue_is_read() -> None:
    """Default entry, two sections, an extension, every platform and emulation come out as recorded (§2.1–2.5)."""
    catalog = section_entry(0x88, 2, 1, 30)
    catalog += section(False, 0xEF, 2, b"UEFI") + section_entry(0x88, 0, 0, 31) + section_entry(0, 0x24, 7, 32, b"abc")
    catalog += b"\x44\x20" + b"d" * 30 + b"\x44\x00" + b"e" * 30
    catalog += section(True, 1, 1, b"POWER") + section_entry(0x88, 3, 9, 33)
    boot = with_catalog(catalog).boot
    assert boot.id_string == "A MAKER"
    assert boot.checksum_ok
    assert [entry.platform for entry in boot.entries] == ["x86", "efi", "efi", "powerpc"]
    assert [entry.emulation for entry in boot.entries] == ["floppy-1.44", "none", "hard-disk", "floppy-2.88"]
    assert [entry.bootable for entry in boot.entries] == [True, True, False, True]
    assert [entry.section_id for entry in boot.entries] == ["", "UEFI", "UEFI", "POWER"]
    assert [entry.load_rba for entry in boot.entries] == [30, 31, 32, 33]
    assert [entry.sector_count for entry in boot.entries] == [1, 0, 7, 9]
    assert {entry.load_segment for entry in boot.entries} == {0x7C0}
    assert boot.entries[2].selection_criteria.startswith(b"abc")
    assert boot.entries[2].selection_criteria.endswith(b"d" * 30 + b"e" * 30)


@pytest.mark.parametrize(
    ("platform", "entry", "modes"),
    [
        (0, section_entry(0x88, 0, 4, 30), ("bios",)),
        (0xEF, section_entry(0x88, 0, 4, 30), ("uefi",)),
        (1, section_entry(0x88, 0, 4, 30), ("openfirmware",)),
        (2, section_entry(0x88, 0, 4, 30), ("mac",)),
        (0, section_entry(0x00, 0, 4, 30), ()),
        (0, section_entry(0x88, 0, 4, 100), ()),
        (
            0,
            section_entry(0x88, 0, 4, 30) + section(True, 0xEF, 1, b"") + section_entry(0x88, 0, 0, 31),
            ("bios", "uefi"),
        ),
    ],
)
def test_boot_modes_come_from_bootable_entries_inside_the_file(
    platform: int, entry: bytes, modes: tuple[str, ...]
) -> None:
    """An entry counts when it is marked bootable and its image begins in the file."""
    image = with_catalog(entry, platform=platform)
    assert image.boot_modes == modes
    assert image.bootable == bool(modes)


def test_an_s390_loader_in_an_x86_entry_is_no_bios_boot() -> None:
    """Media for s390x put their loader in an entry for x86; its program status word tells (mode ipl)."""
    loader = bytes.fromhex("0008000080010000")
    image = with_catalog(section_entry(0x88, 0, 4, 30), {30: loader})
    assert image.boot_modes == ("ipl",)
    assert image.boot_architectures == ("s390x",)


def test_an_invalid_catalogue_boots_nothing() -> None:
    """Without the key bytes there are no entries; with a wrong checksum alone they are read and the fact is told."""
    broken = with_catalog(section_entry(0x88, 0, 4, 30), broken=1)
    assert broken.boot_modes == ("bios",)
    assert not broken.boot.checksum_ok
    gone = with_catalog(b"", {CATALOG: bytes(SECTOR)})
    assert "eltorito" in gone.formats
    assert not gone.boot.valid
    assert gone.boot.entries == ()
    assert not gone.bootable


def test_a_catalogue_outside_the_file_boots_nothing() -> None:
    """A boot record that points behind the end gives an invalid catalogue, not an error."""
    image = with_catalog(b"", {17: b"\0CD001\1" + b"EL TORITO SPECIFICATION".ljust(64, b"\0") + b"\xff\xff\xff\x7f"})
    assert not image.boot.valid
    assert image.boot_modes == ()


@pytest.mark.parametrize(
    ("name", "modes", "architectures"),
    [
        ("memtest-x64", ("bios", "uefi"), ("x86_64",)),
        ("memtest-ia32", ("bios", "uefi"), ("i686",)),
        ("ipxe", ("bios", "uefi"), ("x86_64",)),
        ("grub-rescue", ("bios",), ("i686",)),
        ("xorriso-rockridge", ("bios", "uefi"), ("x86_64", "aarch64", "riscv64")),
        ("geniso-bridge", ("bios", "uefi"), ("x86_64", "aarch64", "riscv64")),
        ("geniso-plain", (), ("x86_64",)),
    ],
)
def test_real_media_boot_as_they_do(
    name: str, modes: tuple[str, ...], architectures: tuple[str, ...], open_medium
) -> None:
    """Boot modes and architectures of packaged and made media, each architecture with its evidence."""
    image = open_medium(name)
    assert image.boot_modes == modes
    assert image.boot_architectures == architectures
    for evidence in image.boot_evidence:
        path = evidence.path
        assert path.startswith("El Torito boot image") or image.find(path) is not None


def assert_partitions_agree(image: Image, report: str) -> None:
    """Compare both partition tables with xorriso's -report_system_area plain."""
    theirs = re.findall(r"MBR partition      :\s+(\d)\s+0x(\w+)\s+0x(\w+)\s+(\d+)\s+(\d+)", report)
    ours = [
        (str(p.number), "80" if p.active else "00", f"{p.type:02x}", str(p.start), str(p.count))
        for p in image.mbr.partitions
    ]
    assert ours == theirs
    starts = re.findall(r"GPT start and size :\s+\d+\s+(\d+)\s+(\d+)", report)
    assert len(starts) >= 1
    assert [(str(p.first), str(p.last - p.first + 1)) for p in image.gpt.partitions] == starts
    guids = re.findall(r"GPT type GUID      :\s+\d+\s+(\w+)", report)
    assert [p.type for p in image.gpt.partitions] == [uuid.UUID(bytes_le=bytes.fromhex(guid)) for guid in guids]
    names = re.findall(r"GPT partname local :\s+\d+\s+(.*)", report)
    assert [p.name for p in image.gpt.partitions] == names


def test_partition_tables_are_those_xorriso_reports(open_medium, path_of, run_tool) -> None:
    """MBR and GPT of a hybrid image agree with -report_system_area."""
    image = open_medium("xorriso-hybrid")
    assert image.formats[-2:] == ("hybrid-mbr", "hybrid-gpt")
    assert_partitions_agree(
        image, run_tool("xorriso", "-indev", path_of("xorriso-hybrid"), "-report_system_area", "plain")
    )


def test_a_rescue_image_of_grub_is_all_it_is(tmp_path: Path, opened: ExitStack, run_tool) -> None:
    """grub-mkrescue makes a hybrid of MBR, GPT and El Torito for BIOS and UEFI on x86_64; all of it is seen."""
    (tmp_path / "files").mkdir()
    made = tmp_path / "rescue.iso"
    run_tool("grub-mkrescue", "-o", made, tmp_path / "files")
    image = opened.enter_context(open_path(made))
    assert image.formats == ("iso9660", "rockridge", "eltorito", "hybrid-mbr", "hybrid-gpt")
    assert image.boot_modes == ("bios", "uefi")
    assert "x86_64" in image.boot_architectures
    assert_partitions_agree(image, run_tool("xorriso", "-indev", made, "-report_system_area", "plain"))


def test_a_gpt_whose_checksum_fails_is_none(path_of) -> None:
    """One changed bit in the header or in the entries, and there is no GPT (UEFI 2.10 §5.3.2)."""
    data = path_of("xorriso-hybrid").read_bytes()
    entries = int.from_bytes(data[512 + 72 : 512 + 80], "little") * 512
    for place in (512 + 40, entries + 32):
        damaged = bytearray(data)
        damaged[place] ^= 1
        image = open_image(lambda offset, size, damaged=damaged: bytes(damaged[offset : offset + size]), len(damaged))
        assert image.gpt is None
        assert "hybrid-gpt" not in image.formats


@pytest.mark.parametrize(("sectors", "options"), [(2880, ()), (40_000, ()), (140_000, ("-F",))])
def test_loaders_in_fat_volumes_of_mtools_are_found(
    sectors: int, options: tuple[str, ...], tmp_path: Path, opened: ExitStack, run_tool
) -> None:
    """A loader inside a FAT12, FAT16 or FAT32 boot image, under a long name, proves its architecture."""
    files = tmp_path / "files"
    files.mkdir()
    fat = files / "efi.img"
    run_tool("mformat", "-i", fat, "-C", "-T", str(sectors), *options, "::")
    loader = tmp_path / "BOOTRISCV64.EFI"
    loader.write_bytes(pe_image(0x5064))
    run_tool("mmd", "-i", fat, "::/EFI", "::/EFI/BOOT")
    for number in range(30):
        (tmp_path / f"padding number {number}").write_bytes(b"x")
        run_tool("mcopy", "-i", fat, tmp_path / f"padding number {number}", "::/EFI/BOOT/")
    run_tool("mcopy", "-i", fat, loader, "::/EFI/BOOT/")
    made = tmp_path / "made.iso"
    run_tool("xorriso", "-as", "mkisofs", "-quiet", "-R", "-e", "efi.img", "-no-emul-boot", "-o", made, files)
    image = opened.enter_context(open_path(made))
    assert image.boot_modes == ("uefi",)
    assert image.boot_architectures == ("riscv64",)
    assert image.boot_evidence[0].path == "El Torito boot image 1: /EFI/BOOT/BOOTRISCV64.EFI"


def x86_kernel(flags: int) -> bytes:
    """Make the header of a bzImage with these xloadflags (Linux x86 boot protocol 2.12)."""
    out = bytearray(2048)
    out[0x202:0x208] = b"HdrS\x0f\x02"
    out[0x236] = flags
    return bytes(out)


@pytest.mark.parametrize(
    ("path", "content", "architectures"),
    [
        ("EFI/BOOT/BOOTX64.EFI", b"not a PE image", ("x86_64",)),
        ("EFI/BOOT/BOOTX64.EFI", pe_image(0xAA64), ("aarch64",)),
        ("efi/boot/bootia32.efi", pe_image(0x14C), ("i686",)),
        ("EFI/BOOT/grubx64.efi", pe_image(0x8664), ()),
        ("boot/grub/arm64-efi/normal.mod", b"", ("aarch64",)),
        ("boot/grub/i386-pc/normal.mod", b"", ("i686",)),
        ("casper/vmlinuz", x86_kernel(1), ("x86_64",)),
        ("install.386/vmlinuz", x86_kernel(0), ("i686",)),
        ("boot/vmlinuz", b"\x7fELF\x02\x01".ljust(18, b"\0") + b"\x15\0" + bytes(50), ("ppc64le",)),
        ("images/pxeboot/vmlinuz", b"random text", ()),
        ("README", b"", ()),
    ],
)
def test_architectures_need_evidence(
    path: str, content: bytes, architectures: tuple[str, ...], tmp_path: Path, opened: ExitStack, run_tool
) -> None:
    """Loaders by their PE header before their name, GRUB's directories, kernels by their header; else nothing."""
    files = tmp_path / "files"
    (files / path).parent.mkdir(parents=True)
    (files / path).write_bytes(content)
    run_tool("xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-o", tmp_path / "made.iso", files)
    image = opened.enter_context(open_path(tmp_path / "made.iso"))
    assert image.boot_architectures == architectures
    assert not image.bootable


def test_chrp_media_boot_through_open_firmware(tmp_path: Path, opened: ExitStack, run_tool) -> None:
    """/ppc/bootinfo.txt is what Open Firmware looks for on a CD-ROM (CHRP); no El Torito is needed."""
    (tmp_path / "files/ppc").mkdir(parents=True)
    (tmp_path / "files/ppc/bootinfo.txt").write_text("<chrp-boot></chrp-boot>")
    run_tool("xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", tmp_path / "made.iso", tmp_path / "files")
    assert opened.enter_context(open_path(tmp_path / "made.iso")).boot_modes == ("openfirmware",)


def test_a_broken_fat_volume_proves_nothing() -> None:
    """A boot image whose directory leads in a circle or outside gives no evidence and no error."""
    fat = bytearray(fat_image())
    fat[512:530] = b"\xf8\xff\xff" + b"\x02\x20\x00" * 5
    entry = section_entry(0x88, 0, 0, 30)
    assert with_catalog(entry, {30: bytes(fat)}, platform=0xEF).boot_architectures == ("aarch64", "riscv64")
    fat[11:13] = b"\x01\x00"
    assert with_catalog(entry, {30: bytes(fat)}, platform=0xEF).boot_architectures == ()
