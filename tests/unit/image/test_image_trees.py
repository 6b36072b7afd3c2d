"""Paths, links, names and dates through the public doors of a tree."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fuzz.hostile import ROOT, descriptor, record
from isobay.errors import ImageError
from isobay.image import Image, open_image, open_path

XORRISO = ("xorriso", "-as", "mkisofs", "-quiet")
GENISO = ("genisoimage", "-quiet")


@pytest.fixture
def make(tmp_path: Path, opened: ExitStack, run_tool):
    """Return a function that makes an image of files with a tool and opens it."""

    def make_image(command: tuple[str, ...], source: Path) -> Image:
        path = tmp_path / "made.iso"
        run_tool(*command, "-o", path, source)
        return opened.enter_context(open_path(path))

    return make_image


@pytest.mark.parametrize("name", ["geniso-rockridge", "xorriso-rockridge", "xorriso-hybrid"])
def test_links_are_followed_inside_the_image(name: str, open_medium) -> None:
    """Stat and read follow links, lstat shows them, and ".." stops at the image's root."""
    image = open_medium(name)
    assert image.tree().lstat("/link").target == "one/two/three"
    assert image.stat("/link").kind == "directory"
    assert image.stat("/link").path == "/one/two/three"
    assert image.stat("/../../../link/../../two").path == "/one/two"
    assert image.read("/link/four/five/six/seven/eight/nine/bottom.txt") == b"the bottom\n"


@pytest.mark.parametrize("name", ["geniso-rockridge", "xorriso-rockridge"])
def test_a_link_to_itself_is_an_error_and_not_a_loop(name: str, open_medium) -> None:
    """A symlink that leads in a circle gives ImageError with the reason loop."""
    with pytest.raises(ImageError) as caught:
        open_medium(name).stat("/loop")
    assert caught.value.context["reason"] == "loop"


@pytest.mark.parametrize("command", [(*GENISO, "-R"), (*XORRISO, "-R")])
def test_absolute_links_stay_inside_the_image(command: tuple[str, ...], make, tmp_path: Path) -> None:
    """An absolute link means the image's root, never the machine's."""
    source = tmp_path / "files"
    (source / "etc").mkdir(parents=True)
    (source / "etc/passwd").write_text("the image's own\n")
    (source / "sub").mkdir()
    (source / "sub/absolute").symlink_to("/etc/passwd")
    (source / "escaping").symlink_to("../../../../etc/passwd")
    (source / "dangling").symlink_to("/proc/version")
    image = make(command, source)
    assert image.read("/sub/absolute") == b"the image's own\n"
    assert image.read("/escaping") == b"the image's own\n"
    assert image.find("/dangling") is None


@pytest.mark.parametrize("command", [(*GENISO, "-R"), (*XORRISO, "-R")])
def test_names_modes_kinds_and_dates_are_those_of_the_files(command: tuple[str, ...], make, tmp_path: Path) -> None:
    """Rock Ridge gives back UTF-8 names, POSIX modes, fifos and modification times."""
    source = tmp_path / "files"
    source.mkdir()
    names = ["Ünïcödé 名前.txt", "UPPER and lower", ".hidden", "a" * 200, "semi;1", "dots..."]
    for name in names:
        (source / name).write_text(name)
        os.utime(source / name, (1_000_000_000, 1_000_000_000))
    (source / "UPPER and lower").chmod(0o751)
    os.mkfifo(source / "pipe")
    image = make(command, source)
    entries = {entry.name: entry for entry in image.entries()}
    assert set(entries) == {*names, "pipe"}
    assert entries["pipe"].kind == "other"
    assert entries["UPPER and lower"].mode is not None
    assert entries["UPPER and lower"].mode & 0o100 == 0o100
    assert entries[".hidden"].modified == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
    for name in names:
        assert image.read("/" + name) == name.encode()


def test_paths_that_are_not_there_say_so(open_medium) -> None:
    """A missing path, a file used as a directory and a directory read as a file are not-found errors; find is None."""
    image = open_medium("xorriso-rockridge")
    for question in (
        lambda: image.stat("/nothing"),
        lambda: image.stat("/data.bin/below"),
        lambda: image.read("/one"),
        lambda: next(image.entries("/data.bin")),
    ):
        with pytest.raises(ImageError) as caught:
            question()
        assert caught.value.context["reason"] == "not-found"
    assert image.find("/nothing") is None
    assert image.find("/data.bin").size == 5000


def test_case_is_ignored_when_asked(open_medium) -> None:
    """Names compare with case unless ignore_case is set, in every hierarchy."""
    image = open_medium("geniso-bridge")
    for name in image.tree_names:
        tree = image.tree(name)
        assert tree.find("/efi/boot/bootx64.efi") is None
        assert tree.stat("/efi/boot/bootx64.efi", ignore_case=True).path == "/EFI/BOOT/BOOTX64.EFI"


def test_read_takes_a_part(open_medium, source_files: Path) -> None:
    """Offset and size choose bytes; beyond the end there are none."""
    image = open_medium("xorriso-rockridge")
    data = (source_files / "data.bin").read_bytes()
    assert image.read("/data.bin", 100, 50) == data[100:150]
    assert image.read("/data.bin", 4990) == data[4990:]
    assert image.read("/data.bin", 6000, 10) == b""
    assert list(image.content("/data.bin", 2000)) == [data[:2000], data[2000:4000], data[4000:]]


def test_reading_more_than_the_bound_is_refused(tmp_path: Path, make) -> None:
    """A file larger than the bound is read in pieces or through content, never at once."""
    source = tmp_path / "files"
    source.mkdir()
    with (source / "large").open("wb") as file:
        file.truncate(9 * 1024 * 1024)
    image = make((*XORRISO, "-R"), source)
    with pytest.raises(ImageError) as caught:
        image.read("/large")
    assert caught.value.context["reason"] == "too-large"
    assert sum(len(piece) for piece in image.content("/large")) == 9 * 1024 * 1024


def sparse_reader(texts: dict[int, bytes], end: int) -> Callable[[int, int], bytes]:
    """Make a read_at over zeros with ``texts`` at their offsets."""

    def read_at(offset: int, count: int) -> bytes:
        out = bytearray(min(count, end - offset))
        for place, data in texts.items():
            for at in range(max(place, offset), min(place + len(data), offset + len(out))):
                out[at - offset] = data[at - place]
        return bytes(out)

    return read_at


@pytest.mark.parametrize("sectors_before", [0, 63])
def test_files_of_several_extents_are_one(sectors_before: int) -> None:
    """A file over 4 GiB has several records (ECMA-119 6.5.1), here across sectors, and is one entry with all bytes.

    63 sectors before them put the end of the first piece in which a directory is read between the records.
    """
    part = 0xFFFFF800
    size = 2 * part + 5
    total = (sectors_before + 2) * 2048
    before = b"".join(
        b"".join(record(b"%02d%03d.;1" % (sector, number), 40, 1) for number in range(48)).ljust(2048, b"\0")
        for sector in range(sectors_before)
    )
    first = record(b"\0", ROOT, total, 2) + record(b"\1", ROOT, total, 2) if not before else b""
    first += b"".join(record(b"A%03d.;1" % number, 40, 1) for number in range(48))
    first += record(b"HUGE.BIN;1", 1000, part, 0x80)
    second = record(b"HUGE.BIN;1", 1000 + part // 2048, part, 0x80)
    second += record(b"HUGE.BIN;1", 1000 + 2 * part // 2048, 5) + record(b"LAST.;1", 40, 1)
    end = 1000 * 2048 + size
    texts = {16 * 2048: descriptor(end // 2048, record(b"\0", ROOT, total, 2)), 17 * 2048: b"\xffCD001\1"}
    texts |= {ROOT * 2048: before + first.ljust(2048, b"\0") + second}
    texts |= {1000 * 2048 + part - 2: b"seam", end - 5: b"end.."}
    assert 1950 < len(first) <= 2048

    image = open_image(sparse_reader(texts, end), end)
    names = [entry.name for entry in image.entries()]
    assert names[-2:] == ["HUGE.BIN", "LAST"]
    assert len(names) == len(set(names)) == 48 * sectors_before + 50
    assert image.stat("/HUGE.BIN").size == size
    assert image.stat("/HUGE.BIN") == list(image.entries())[-2]
    assert image.read("/HUGE.BIN", size - 5) == b"end.."
    assert image.read("/HUGE.BIN", part - 2, 4) == b"seam"


def test_recorded_names_cannot_leave_their_directory() -> None:
    """Names with a slash, a NUL or of dots alone become ones that stand for themselves, and are found by those."""
    names = [b"../../etc/passwd", b"nul\0byte", b"..", b"."]
    use = b"SP\x07\x01\xbe\xef\x00" + b"PX\x24\x01" + bytes(32)
    content = record(b"\0", ROOT, 2048, 2, use) + record(b"\1", ROOT, 2048, 2)
    for number, name in enumerate(names):
        system_use = b"NM" + bytes([5 + len(name), 1, 0]) + name
        content += record(b"F%d.;1" % number, 40 + number, 1, 0, system_use)
    texts = {16 * 2048: descriptor(60, record(b"\0", ROOT, 2048, 2)), 17 * 2048: b"\xffCD001\1", ROOT * 2048: content}
    image = open_image(sparse_reader(texts, 60 * 2048), 60 * 2048)
    assert image.tree().name == "rockridge"
    found = list(image.entries())
    assert [entry.name for entry in found] == [
        "..\ufffd..\ufffdetc\ufffdpasswd",
        "nul\ufffdbyte",
        "\ufffd\ufffd",
        "\ufffd",
    ]
    for entry in found:
        assert image.stat(entry.path) == entry


def rock_ridge_image(system_use: bytes) -> Image:
    """Open an image whose one file has these system use entries."""
    use = b"SP\x07\x01\xbe\xef\x00" + b"PX\x24\x01" + bytes(32)
    content = record(b"\0", ROOT, 2048, 2, use) + record(b"\1", ROOT, 2048, 2) + record(b"F.;1", 40, 1, 0, system_use)
    texts = {16 * 2048: descriptor(60, record(b"\0", ROOT, 2048, 2)), 17 * 2048: b"\xffCD001\1", ROOT * 2048: content}
    texts[30 * 2048] = b"NM\x0a\x01\x00there"
    return open_image(sparse_reader(texts, 60 * 2048), 60 * 2048)


@pytest.mark.parametrize(
    "dates",
    [
        b"\x03" + bytes([100, 1, 1, 0, 0, 0, 0]) + bytes([101, 9, 9, 1, 46, 40, 0]),
        b"\x02" + bytes([101, 9, 9, 3, 46, 40, 8]),
        b"\x83" + b"2000010100000000\0" + b"2001090901464000\0",
    ],
)
def test_the_modification_date_is_found_among_the_others(dates: bytes) -> None:
    """TF holds its dates in the order of their bits, short or long, with a time zone (RRIP 4.1.6)."""
    image = rock_ridge_image(b"TF" + bytes([4 + len(dates), 1]) + dates)
    assert image.stat("/F").modified == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)


def test_continuation_areas_stay_in_their_block() -> None:
    """A continuation area is followed inside its block (SUSP 5.1), refused when it reaches over it or has no end."""

    def continued(block: int, offset: int, size: int) -> bytes:
        return b"CE\x1c\x01" + b"".join(n.to_bytes(4, "little") + n.to_bytes(4, "big") for n in (block, offset, size))

    assert [entry.name for entry in rock_ridge_image(continued(30, 0, 10)).entries()] == ["there"]
    assert rock_ridge_image(continued(30, 0, 10)).stat("/there").size == 1
    with pytest.raises(ImageError, match="reaches over its block"):
        list(rock_ridge_image(continued(30, 2040, 10)).entries())
    # the record itself stands in the root's sector, after 34 + 43 bytes of "." with its entries and 34 of ".."
    itself = rock_ridge_image(continued(ROOT, 34 + 44 + 34 + 38, 28))
    with pytest.raises(ImageError) as caught:
        list(itself.entries())
    assert caught.value.context["reason"] == "loop"


@pytest.mark.parametrize("name", ["rockridge", "iso9660"])
def test_interleaved_files_are_listed_and_not_read(name: str) -> None:
    """A file recorded in interleaved mode (ECMA-119 6.4.3) is in the list; its content is refused as unsupported."""
    interleaved = bytearray(record(b"I.;1", 40, 3000))
    interleaved[26:28] = b"\1\1"
    use = b"SP\x07\x01\xbe\xef\x00" + b"PX\x24\x01" + bytes(32)
    content = record(b"\0", ROOT, 2048, 2, use) + record(b"\1", ROOT, 2048, 2) + bytes(interleaved)
    texts = {16 * 2048: descriptor(60, record(b"\0", ROOT, 2048, 2)), 17 * 2048: b"\xffCD001\1", ROOT * 2048: content}
    tree = open_image(sparse_reader(texts, 60 * 2048), 60 * 2048).tree(name)
    assert tree.stat("/I").size == 3000
    with pytest.raises(ImageError, match="interleaved") as caught:
        tree.read("/I")
    assert caught.value.context["reason"] == "unsupported"


def test_a_directory_that_holds_itself_is_walked_once() -> None:
    """A loop of directories ends: each is entered once."""
    content = record(b"\0", ROOT, 2048, 2) + record(b"\1", ROOT, 2048, 2)
    content += record(b"AGAIN", ROOT, 2048, 2) + record(b"F.;1", 40, 1)
    texts = {16 * 2048: descriptor(60, record(b"\0", ROOT, 2048, 2)), 17 * 2048: b"\xffCD001\1", ROOT * 2048: content}
    image = open_image(sparse_reader(texts, 60 * 2048), 60 * 2048)
    assert [entry.path for entry in image.walk()] == ["/AGAIN", "/F"]
    assert image.stat("/AGAIN/AGAIN/AGAIN/F").size == 1


def test_walk_is_lazy_and_complete(open_medium) -> None:
    """Walk yields everything once, a directory before its entries, and nothing before it is asked for."""
    image = open_medium("grub-rescue")
    paths = [entry.path for entry in image.walk()]
    assert len(paths) == len(set(paths)) > 200
    assert paths.index("/boot/grub") < paths.index("/boot/grub/grub.cfg")
    assert [entry.path for entry in itertools.islice(image.walk(), 3)] == paths[:3]
