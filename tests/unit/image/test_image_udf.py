"""UDF through the public doors: every partition map and allocation descriptor, and volumes other tools made."""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fuzz import udf_media
from isobay.errors import ImageError
from isobay.image import Image, open_image, open_path

VOLUMES = udf_media.build_all()
REVISIONS = {
    "udf-physical": "2.01",
    "udf-extended": "2.01",
    "udf-metadata": "2.50",
    "udf-mirror": "2.50",
    "udf-virtual-1.50": "1.50",
    "udf-virtual-2.00": "2.00",
    "udf-sparable": "2.01",
}
# media type, revision and further options of mkudffs, and the bits of formats it leads to
MKUDFFS = [
    ("hd", "2.01", ()),
    ("hd", "1.02", ("--blocksize=512",)),
    ("hd", "2.01", ("--blocksize=4096",)),
    ("dvd", "1.02", ()),
    ("dvdrw", "2.01", ()),
    ("cdrw", "2.01", ()),
    ("cdr", "1.50", ("--closed",)),
    ("cdr", "2.01", ("--vat",)),
    ("bdr", "2.50", ()),
    ("bdr", "2.60", ()),
]


def opened_bytes(data: bytes) -> Image:
    """Open an image held in memory."""
    return open_image(lambda offset, size: data[offset : offset + size], len(data))


@pytest.mark.parametrize("name", VOLUMES)
def test_every_partition_kind_gives_the_same_files(name: str) -> None:
    """Type 1, virtual, sparable and metadata partitions (UDF 2.2.8–2.2.10) lead to the same tree and bytes."""
    image = opened_bytes(VOLUMES[name])
    assert image.formats == ("udf",)
    assert image.udf.revision == REVISIONS[name]
    assert image.udf.logical_volume_id == image.udf.volume_id == "UDF_TEST"
    assert image.udf.volume_set_id == "0123456789abcdefSet"
    assert image.udf.recorded == datetime(2024, 2, 29, 12, 30, 15, 250_000, UTC)
    kinds = {entry.path: entry.kind for entry in image.walk()}
    assert kinds == {
        "/long.bin": "file",
        "/embedded.txt": "file",
        "/sub": "directory",
        "/sub/名前 wide.txt": "file",
        "/link": "symlink",
        "/extended.bin": "file",
        "/continued.bin": "file",
        "/holes.bin": "file",
    }
    assert image.read("/long.bin") == b"A" * 2048 + b"B" * 952
    assert image.read("/embedded.txt") == b"embedded\n"
    assert image.read("/sub/名前 wide.txt") == b"wide\n"
    assert image.read("/extended.bin") == b"C" * 100
    assert image.read("/continued.bin") == b"A" * 2048 + b"C"
    assert image.read("/holes.bin") == bytes(4096) + b"CCCC"
    assert image.tree().lstat("/link").target == "../sub/end"
    assert image.stat("/long.bin").mode == 0o555 & ~0o200
    assert image.stat("/long.bin").modified == datetime(2024, 2, 29, 12, 30, 15, 250_000, UTC)


@pytest.mark.parametrize(("media", "revision", "options"), MKUDFFS)
def test_volumes_of_mkudffs_open(
    media: str, revision: str, options: tuple[str, ...], tmp_path: Path, opened: ExitStack, run_tool
) -> None:
    """What mkudffs makes opens with its label and revision, and its root holds what udfinfo counts."""
    path = tmp_path / "made.udf"
    size = () if options and options[0].startswith("--blocksize") else ("--blocksize=2048",)
    run_tool("mkudffs", "--new-file", *size, *options, "-m", media, "-r", revision, "-l", "Læbel", path, "20480")
    image = opened.enter_context(open_path(path))
    assert image.formats == ("udf",)
    assert image.udf.logical_volume_id == "Læbel"
    assert image.udf.revision == revision
    assert [entry.name for entry in image.entries()] in ([], ["lost+found"])
    told = dict(re.findall(r"^(\w+)=(.*)$", run_tool("udfinfo", path), re.MULTILINE))
    assert image.udf.block_size == int(told["blocksize"])
    assert image.udf.volume_id == told["vid"]


def test_the_reserve_sequence_is_used_when_the_main_one_is_damaged() -> None:
    """A damaged main volume descriptor sequence is replaced by the reserve one (ECMA-167 3/8.4.2)."""
    data = bytearray(VOLUMES["udf-physical"])
    data[34 * 2048 + 100] ^= 0xFF
    assert opened_bytes(bytes(data)).udf.volume_id == "UDF_TEST"
    data[50 * 2048 + 100] ^= 0xFF
    with pytest.raises(ImageError, match="logical volume descriptor does not match"):
        opened_bytes(bytes(data))


@pytest.mark.parametrize("anchor", ["last", "last - 256"])
def test_an_anchor_at_the_end_is_enough(anchor: str) -> None:
    """The anchor may stand in the last block or 256 before it (ECMA-167 3/8.4.2.1)."""
    data = bytearray(VOLUMES["udf-physical"])
    data.extend(bytes(300 * 2048))
    last = len(data) // 2048 - 1
    block = last if anchor == "last" else last - 256
    body = bytes(data[256 * 2048 + 16 : 256 * 2048 + 512])
    data[256 * 2048 : 257 * 2048] = bytes(2048)
    data[block * 2048 : block * 2048 + 512] = udf_media.tagged(2, block, body)
    assert opened_bytes(bytes(data)).read("/embedded.txt") == b"embedded\n"


def test_a_descriptor_whose_checksum_fails_is_refused() -> None:
    """A changed file entry fails its CRC (ECMA-167 3/7.2.6) and is not believed."""
    data = bytearray(VOLUMES["udf-physical"])
    data[(udf_media.START + 5) * 2048 + 60] ^= 1
    image = opened_bytes(bytes(data))
    with pytest.raises(ImageError, match=r"checksum \(CRC\) of the UDF file entry"):
        image.read("/embedded.txt")
    assert image.read("/extended.bin") == b"C" * 100


def test_a_damaged_udf_side_leaves_the_iso_9660_side(path_of) -> None:
    """A bridge image without a readable UDF volume is still an ISO, and says what is wrong with its UDF."""
    data = path_of("geniso-bridge").read_bytes()
    damaged = bytearray(data)
    damaged[256 * 2048 : 257 * 2048] = bytes(2048)
    damaged[-2048:] = bytes(2048)
    image = opened_bytes(bytes(damaged))
    assert "udf" not in image.formats
    assert image.tree().name == "joliet"
    assert "no anchor" in image.udf_problem
    assert opened_bytes(data).udf_problem == ""


def test_a_partition_longer_than_the_file_is_truncated() -> None:
    """A UDF volume whose files lie behind the end of the file is refused, unless that is asked for."""
    data = VOLUMES["udf-physical"][: -17 * 2048]
    with pytest.raises(ImageError) as caught:
        opened_bytes(data)
    assert caught.value.context == {
        "reason": "truncated",
        "volume_size": len(VOLUMES["udf-physical"]),
        "size": len(data),
    }
    image = open_image(lambda offset, size: data[offset : offset + size], len(data), allow_truncated=True)
    assert image.read("/embedded.txt") == b"embedded\n"


def test_padding_that_no_file_needs_may_be_missing() -> None:
    """Up to 300 KiB of the volume may be missing when every file is seen to end before it."""
    data = VOLUMES["udf-physical"][: -14 * 2048]
    assert opened_bytes(data).read("/extended.bin") == b"C" * 100


def test_a_tag_whose_own_checksum_fails_is_refused() -> None:
    """The tag's checksum covers what the CRC does not, as the serial number (ECMA-167 3/7.2.3)."""
    data = bytearray(VOLUMES["udf-physical"])
    data[(udf_media.START + 5) * 2048 + 6] ^= 1
    with pytest.raises(ImageError, match="tag checksum of the UDF file entry"):
        opened_bytes(bytes(data)).read("/embedded.txt")


def test_the_highest_sequence_number_prevails() -> None:
    """Of several logical volume descriptors the one with the highest sequence number counts (ECMA-167 3/8.4.3)."""
    data = bytearray(VOLUMES["udf-physical"])
    body = bytearray(data[34 * 2048 + 16 : 34 * 2048 + 16 + 446])
    for block, number, label in ((35, 9, "NEWEST"), (36, 5, "OLDER")):
        body[0:4] = number.to_bytes(4, "little")
        body[68:196] = udf_media.dstring(label, 128)
        data[block * 2048 : (block + 1) * 2048] = udf_media.tagged(6, block, bytes(body)).ljust(2048, b"\0")
    data[37 * 2048 : 37 * 2048 + 512] = udf_media.tagged(8, 37, bytes(496))
    image = opened_bytes(bytes(data))
    assert image.udf.logical_volume_id == "NEWEST"
    assert image.volume_id == "NEWEST"


def test_a_sequence_may_go_on_elsewhere_and_must_end() -> None:
    """A volume descriptor pointer leads to the rest of the sequence (ECMA-167 3/10.3); one to itself is an error."""
    data = bytearray(VOLUMES["udf-physical"])
    data[100 * 2048 : 102 * 2048] = data[34 * 2048 : 36 * 2048]

    def point(place: int, target: int) -> None:
        body = (2).to_bytes(4, "little") + (4 * 2048).to_bytes(4, "little") + target.to_bytes(4, "little")
        data[place * 2048 : (place + 1) * 2048] = udf_media.tagged(3, place, body).ljust(2048, b"\0")

    point(34, 100)
    point(50, 100)
    assert opened_bytes(bytes(data)).udf.volume_id == "UDF_TEST"
    point(34, 34)
    point(50, 50)
    with pytest.raises(ImageError, match="no logical volume descriptor"):
        opened_bytes(bytes(data))
