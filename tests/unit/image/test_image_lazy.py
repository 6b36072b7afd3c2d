"""Describing an image costs a few reads, whatever its size, its number of files, and where they lie."""

from __future__ import annotations

import importlib.util
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from isobay.image import Image, open_image, open_path

SHARED = Path(os.environ.get("ISOBAY_SHARED", Path(__file__).parents[4] / "shared"))
READS, BYTES = 8, 1024 * 1024
MEMORY = 8 * 1024 * 1024


class Counted:
    """A file behind read_at that counts what is read of it."""

    def __init__(self, path: Path) -> None:
        self.reads = self.bytes = 0
        self._path = path

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes of the file."""
        self.reads += 1
        with self._path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        self.bytes += len(data)
        return data

    def describe(self) -> Image:
        """Open the image and ask everything a description has."""
        image = open_image(self.read_at, self._path.stat().st_size)
        assert image.formats
        assert image.volume_size
        assert image.bootable == bool(image.boot_modes)
        assert isinstance(image.boot_architectures, tuple)
        return image


@pytest.mark.parametrize(
    "name", ["memtest-x64", "memtest-ia32", "ipxe", "grub-rescue", "geniso-bridge", "xorriso-hybrid", "geniso-joliet"]
)
def test_real_media_are_described_in_few_reads(name: str, path_of: Callable[[str], Path]) -> None:
    """Packaged and made media need at most eight reads and a mebibyte."""
    counted = Counted(path_of(name))
    counted.describe()
    assert counted.reads <= READS
    assert counted.bytes < BYTES


@pytest.mark.parametrize("command", [("genisoimage", "-quiet", "-R", "-J"), ("genisoimage", "-quiet", "-udf", "-R")])
def test_twenty_thousand_files_cost_no_more(command: tuple[str, ...], tmp_path: Path, run_tool) -> None:
    """An image of 20,000 files is described in as few reads, and a file in it found without reading the others."""
    for group in range(20):
        directory = tmp_path / f"files/pool/{group:02d}"
        directory.mkdir(parents=True)
        for number in range(1000):
            (directory / f"file-{number:04d}").touch()
    (tmp_path / "files/pool/19/file-0999").write_text("found")
    made = tmp_path / "made.iso"
    run_tool(*command, "-o", made, tmp_path / "files")
    counted = Counted(made)
    image = counted.describe()
    assert counted.reads <= READS
    assert counted.bytes < BYTES
    assert image.read("/pool/19/file-0999") == b"found"
    assert counted.reads <= 2 * READS
    tracemalloc.start()
    assert sum(1 for _ in image.tree(image.tree_names[-2]).walk()) == 20_021
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY


def test_one_directory_of_twenty_thousand_files_is_listed_lazily(tmp_path: Path, run_tool) -> None:
    """A flat directory of 20,000 files is found by name and listed as asked for, not read on opening."""
    (tmp_path / "files").mkdir()
    for number in range(20_000):
        (tmp_path / f"files/f{number:05d}").touch()
    made = tmp_path / "made.iso"
    run_tool("genisoimage", "-quiet", "-udf", "-R", "-J", "-o", made, tmp_path / "files")
    counted = Counted(made)
    image = counted.describe()
    assert counted.reads <= READS
    assert counted.bytes < BYTES
    before = counted.bytes
    assert next(image.entries()).name == "f00000"
    assert counted.bytes - before < 300_000
    for name in ("rockridge", "udf", "joliet"):
        tree = image.tree(name)
        assert tree.stat("/f19999", ignore_case=True).size == 0
        assert tree.find("/f20000") is None


def test_a_nine_gigabyte_image_costs_no_more(tmp_path: Path, path_of: Callable[[str], Path]) -> None:
    """A sparse image of 9 GB is described in as few reads."""
    path = tmp_path / "large.iso"
    path.write_bytes(path_of("xorriso-hybrid").read_bytes())
    os.truncate(path, 9_000_000_000)
    counted = Counted(path)
    counted.describe()
    assert counted.reads <= READS
    assert counted.bytes < BYTES


@pytest.fixture(scope="module")
def dump_to_iso() -> ModuleType:
    """Load the tool that turns the text of isoinfo -d into an image."""
    tool = SHARED / "tools/isodump_to_iso.py"
    if not tool.exists():
        pytest.skip(f"{tool} is not there: the 2,003 media of data/isodata.tar.xz are left out")
    specification = importlib.util.spec_from_file_location("isodump_to_iso", tool)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_medium_of_the_corpus_gives_its_fields(dump_to_iso: ModuleType, tmp_path: Path) -> None:
    """The images of 2,003 real media's descriptors open, and give the fields of isoinfo's text."""
    made = tmp_path / "made.iso"
    count = 0
    with tarfile.open(SHARED / "data/isodata.tar.xz") as archive:
        for member in archive:
            if not member.name.endswith(".txt"):
                continue
            file = archive.extractfile(member)
            assert file is not None
            text = file.read().decode("utf-8", "replace")
            dump_to_iso.build(text, made)
            with open_path(made) as image:
                assert _differences(text, image) == [], member.name
            count += 1
    assert count == 2003


def _differences(text: str, image: Image) -> list[str]:
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith(" "):
            fields.setdefault(name.strip(), value.strip())
    primary = image.primary
    assert primary is not None
    found = {
        "System id": (primary.system_id, 32),
        "Volume id": (primary.volume_id, 32),
        "Volume set id": (primary.volume_set_id, 128),
        "Publisher id": (primary.publisher_id, 128),
        "Data preparer id": (primary.data_preparer_id, 128),
        "Application id": (primary.application_id, 128),
        "Volume size is": (str(primary.volume_space_size), 128),
        "Logical block size is": (str(primary.logical_block_size), 128),
    }
    wrong = [
        name
        for name, (value, size) in found.items()
        if value.strip() != fields[name].encode("latin-1", "replace")[:size].decode("latin-1").strip()
    ]
    for mark, form in (("Joliet with UCS", "joliet"), ("El Torito VD version", "eltorito")):
        if (mark in text) != (form in image.formats):
            wrong.append(form)
    # where isoinfo saw a boot record and printed no catalogue, the tool writes a bootable one
    bootable = "(bootable)" in text or ("El Torito VD" in text and "Bootid" not in text)
    if image.bootable != bootable:
        wrong.append("bootable")
    return wrong
