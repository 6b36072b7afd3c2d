"""The reader under damage: mutated images, images made to harm, and bytes at random."""

from __future__ import annotations

import contextlib
import itertools
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobay.errors import ImageError
from isobay.image import open_image

from . import udf_media
from .corpus import build
from .explore import Explorer
from .hostile import ROOT, SECTOR, descriptor, hostile_images, record
from .mutations import Seed
from .run import fuzz

MUTANTS_PER_RUN = 25_000


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Seed]:
    """Build the corpus once."""
    return [Seed(name, data) for name, data in build(tmp_path_factory.mktemp("corpus")).items()]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_mutated_images_raise_nothing_but_image_errors_and_cost_little(seeds: list[Seed], seed: int) -> None:
    """25,000 mutants a seed: only ImageError comes out, and no question needs more than a bounded number of reads."""
    explorer = Explorer()
    fuzz(seeds, MUTANTS_PER_RUN, seed, explorer)
    assert explorer.opened > MUTANTS_PER_RUN // 2, "most mutants should still open, else little was tried"
    assert explorer.failed_calls > MUTANTS_PER_RUN // 20, "some questions should fail, else nothing was damaged"


@pytest.mark.parametrize("name", [hostile.name for hostile in hostile_images()])
def test_images_made_to_harm_cost_a_bounded_number_of_reads(name: str) -> None:
    """A question to an image made to cost the most ends within the bound of reads and bytes."""
    hostile = next(image for image in hostile_images() if image.name == name)
    explorer = Explorer()
    explorer.question(hostile.name, hostile, hostile.question)
    assert 0 < explorer.most_reads <= 400


def _outcome(data: bytes) -> str:
    """Ask everything of an image in memory; return "read", or the reason of the ImageError that ended it."""
    try:
        image = open_image(lambda offset, size: data[offset : offset + size], len(data), allow_truncated=True)
        assert isinstance(image.formats, tuple)
        assert isinstance(image.boot_architectures, tuple)
        for entry in itertools.islice(image.walk(), 50):
            if entry.kind == "file" and entry.size < 100_000:
                image.read(entry.path)
    except ImageError as error:
        return str(error.context["reason"])
    return "read"


@given(st.binary(max_size=200))
def test_any_bytes_are_an_image_or_an_image_error(data: bytes) -> None:
    """Bytes at random, alone and where descriptors stand, give nothing but ImageError with a reason."""
    assert _outcome(data) != "read"
    assert _outcome(bytes(16 * SECTOR) + b"\1CD001\1" + data.ljust(SECTOR, b"\0"))
    assert _outcome(bytes(16 * SECTOR) + b"\0BEA01\1".ljust(SECTOR, b"\0") + b"\0NSR02\1" + data) != "read"


@settings(max_examples=200)
@given(st.binary(max_size=600), st.binary(max_size=150))
def test_any_directory_ends_in_entries_or_an_image_error(directory: bytes, system_use: bytes) -> None:
    """A directory of bytes at random, and system use entries at random, give nothing but ImageError with a reason."""
    root = record(b"\0", ROOT, SECTOR, 2)
    own = record(b"\0", ROOT, SECTOR, 2, b"SP\x07\x01\xbe\xef\0" + b"PX\x24\x01" + bytes(32))
    for content in (own + directory, own + record(b"A", ROOT, 9, 0, system_use)):
        sectors = {16: descriptor(30, root), 17: b"\xffCD001\1", ROOT: content}
        data = b"".join(sectors.get(number, b"").ljust(SECTOR, b"\0")[:SECTOR] for number in range(30))
        assert _outcome(data) in ("read", "damaged", "beyond-end", "loop", "not-found", "unsupported", "too-complex")


@settings(max_examples=200)
@given(
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 3)), max_size=20),
    st.integers(0, 2**64 - 1),
)
def test_any_allocation_descriptors_end_in_bytes_or_an_image_error(
    kind: int, descriptors: list[tuple[int, int, int]], size: int
) -> None:
    """A UDF file with allocation descriptors at random gives nothing but ImageError."""
    blocks = dict(udf_media.Files(0, 0, 40, False).blocks)
    allocation = b"".join(struct.pack("<IIH6x", *parts) for parts in descriptors)
    blocks[4] = udf_media.file_entry(4, 5, size, kind, allocation)
    data = udf_media.volume([udf_media.TYPE_1], blocks, (0, 0))
    image = open_image(lambda offset, count: data[offset : offset + count], len(data))
    with contextlib.suppress(ImageError):
        assert image.stat("/long.bin").size == size
        assert len(image.read("/long.bin", 0, 5000)) == min(size, 5000)


def test_what_read_at_raises_passes_through(tmp_path: Path) -> None:
    """An error of the caller's own read_at is neither caught nor changed."""

    def broken(offset: int, size: int) -> bytes:
        raise ConnectionResetError(f"no bytes at {offset} of {size} for {tmp_path.name}")

    with pytest.raises(ConnectionResetError, match="no bytes at 0"):
        open_image(broken, 1_000_000)
