"""What the reader says of real and made media, beside what isoinfo, xorriso and pycdlib say."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import pycdlib
import pytest

from isobay.image import Entry, Image

PACKAGED = ["memtest-x64", "memtest-ia32", "ipxe", "grub-rescue"]
MADE_BOOTABLE = ["geniso-rockridge", "geniso-bridge", "xorriso-rockridge", "xorriso-joliet", "xorriso-hybrid"]
ROCKRIDGE = [*PACKAGED, "geniso-rockridge", "xorriso-rockridge", "xorriso-hybrid"]
PLATFORMS = {"x86": "BIOS", "efi": "UEFI", "powerpc": "PPC", "mac": "Mac"}
EMULATIONS = {"none": "none", "floppy-1.2": "fd1.2", "floppy-1.44": "fd1.4", "floppy-2.88": "fd2.8", "hard-disk": "hd"}


def tool(*command: str | Path) -> str:
    """Run a tool and return what it prints."""
    return subprocess.run([str(c) for c in command], capture_output=True, check=True).stdout.decode(errors="replace")


@pytest.mark.parametrize("name", [*PACKAGED, *MADE_BOOTABLE])
def test_boot_entries_are_those_xorriso_reports(name: str, open_medium, path_of) -> None:
    """Platform, bootable flag, emulation, segment, type, sector count and place agree with -report_el_torito."""
    report = tool("xorriso", "-indev", path_of(name), "-report_el_torito", "plain")
    theirs = re.findall(
        r"boot img :\s+\d+\s+(\w+)\s+([yn])\s+(\S+)\s+0x(\w+)\s+0x(\w+)\s+(\d+)\s+(\d+)",
        report,
    )
    boot = open_medium(name).boot
    ours = [
        (
            PLATFORMS[entry.platform],
            "y" if entry.bootable else "n",
            EMULATIONS[entry.emulation],
            f"{entry.load_segment:04x}",
            f"{entry.system_type:02x}",
            str(entry.sector_count),
            str(entry.load_rba),
        )
        for entry in boot.entries
    ]
    assert ours == theirs
    assert f"El Torito catalog  : {boot.sector} " in report
    assert boot.valid
    assert boot.checksum_ok


@pytest.mark.parametrize("name", [*PACKAGED, *MADE_BOOTABLE, "geniso-plain", "geniso-joliet", "xorriso-plain"])
def test_descriptor_fields_are_those_isoinfo_prints(name: str, open_medium, path_of) -> None:
    """Identifiers, sizes, Joliet and Rock Ridge agree with isoinfo -d."""
    text = tool("isoinfo", "-d", "-i", path_of(name))
    theirs = dict(re.findall(r"^([A-Z][A-Za-z ]+?)(?: is)?: ?(.*)$", text, re.MULTILINE))
    image = open_medium(name)
    primary = image.primary
    assert primary.system_id == theirs["System id"].strip()
    assert primary.volume_id == theirs["Volume id"]
    assert primary.volume_set_id == theirs["Volume set id"]
    assert primary.publisher_id == theirs["Publisher id"]
    assert primary.data_preparer_id == theirs["Data preparer id"]
    assert primary.application_id == theirs["Application id"]
    assert primary.volume_space_size == int(theirs["Volume size"])
    assert primary.logical_block_size == int(theirs["Logical block size"])
    assert image.volume_size == int(theirs["Volume size"]) * 2048
    assert ("joliet" in image.formats) == ("Joliet with UCS" in text)
    assert ("rockridge" in image.formats) == ("Rock Ridge signatures version 1 found" in text)
    assert ("eltorito" in image.formats) == ("El Torito VD" in text)


def xorriso_listing(path: Path) -> dict[str, tuple[str, int, str]]:
    """Return path → (kind, size, link target) as xorriso lists an image with Rock Ridge."""
    listing = {}
    for line in tool("xorriso", "-indev", path, "-find", "/", "-exec", "lsdl", "--").splitlines():
        found = re.match(r"([-dlbcpse])\S*\s+\d+\s+\S+\s+\S+\s+(\d+) .{12} '(.*?)'(?: -> '(.*)')?$", line)
        if found and found[3] != "/":
            kind = {"-": "file", "e": "file", "d": "directory", "l": "symlink"}.get(found[1], "other")
            listing[found[3]] = (kind, int(found[2]) if kind == "file" else 0, found[4] or "")
    return listing


@pytest.mark.parametrize("name", ROCKRIDGE)
def test_rock_ridge_tree_is_the_one_xorriso_lists(name: str, open_medium, path_of) -> None:
    """Every path, kind, size and link target of the Rock Ridge tree agrees with xorriso's."""
    image = open_medium(name)
    assert image.tree().name == "rockridge"
    ours = {
        entry.path: (entry.kind, entry.size if entry.kind == "file" else 0, entry.target or "")
        for entry in image.walk()
    }
    theirs = xorriso_listing(path_of(name))
    # xorriso puts relocated directories back and hides the directory they were kept in
    ours.pop("/rr_moved", None)
    theirs.pop("/rr_moved", None)
    assert len(theirs) > 4
    assert ours == theirs


def pycdlib_tree(path: Path, namespace: str) -> dict[str, bytes | None]:
    """Return path → content (None for a directory) of one of pycdlib's hierarchies."""
    disc = pycdlib.PyCdlib()
    disc.open(str(path))
    found: dict[str, bytes | None] = {}
    for here, directories, files in disc.walk(**{namespace: "/"}):
        base = here.rstrip("/")
        found.update({f"{base}/{name}": None for name in directories})
        for name in files:
            out = io.BytesIO()
            full = f"{base}/{name}"
            disc.get_file_from_iso_fp(out, **{namespace: full})
            found[full.split(";")[0].removesuffix(".") if namespace == "iso_path" else full] = out.getvalue()
    disc.close()
    return found


@pytest.mark.parametrize(
    ("name", "hierarchy", "namespace"),
    [
        ("geniso-plain", "iso9660", "iso_path"),
        ("xorriso-plain", "iso9660", "iso_path"),
        ("geniso-joliet", "joliet", "joliet_path"),
        ("xorriso-joliet", "joliet", "joliet_path"),
        ("xorriso-hybrid", "joliet", "joliet_path"),
        ("ipxe", "joliet", "joliet_path"),
        ("memtest-x64", "iso9660", "iso_path"),
        ("geniso-bridge", "udf", "udf_path"),
    ],
)
def test_trees_and_contents_are_those_pycdlib_reads(
    name: str, hierarchy: str, namespace: str, open_medium, path_of
) -> None:
    """Every path and every byte of the plain, Joliet and UDF trees agrees with pycdlib's."""
    files = open_medium(name).tree(hierarchy)
    ours = {entry.path: files.read(entry.path) if entry.kind == "file" else None for entry in files.walk()}
    assert ours == pycdlib_tree(path_of(name), namespace)
    assert any(content for content in ours.values())


@pytest.mark.parametrize("name", ["ipxe", "grub-rescue", "memtest-ia32", "xorriso-rockridge"])
def test_contents_are_those_isoinfo_extracts(name: str, open_medium, path_of) -> None:
    """The bytes of files read by their Rock Ridge names agree with isoinfo -R -x."""
    image: Image = open_medium(name)
    files = [entry for entry in image.walk() if entry.kind == "file" and 0 < entry.size < 2_000_000][:12]
    assert files
    for entry in files:
        theirs = subprocess.run(
            ["isoinfo", "-R", "-i", path_of(name), "-x", entry.path], capture_output=True, check=True
        ).stdout
        assert image.read(entry.path) == theirs, entry.path
        assert b"".join(image.content(entry.path, 1000)) == theirs


def test_the_bridge_tree_is_the_directory_it_was_made_of(source_files: Path, open_medium) -> None:
    """The UDF side of a bridge image has the names, sizes and dates of the source files, byte for byte."""
    image = open_medium("geniso-bridge")
    assert image.tree().name == "udf"
    assert image.udf.logical_volume_id == "GENISO_1"
    entries: dict[str, Entry] = {entry.path: entry for entry in image.walk()}
    for path in source_files.rglob("*"):
        entry = entries.get("/" + path.relative_to(source_files).as_posix())
        if path.is_file() and not path.is_symlink() and entry is not None:
            assert image.read(entry.path) == path.read_bytes()
            assert abs(entry.modified.timestamp() - path.stat().st_mtime) < 2
    assert "/data.bin" in entries
    assert "/EFI/BOOT/BOOTX64.EFI" in entries
