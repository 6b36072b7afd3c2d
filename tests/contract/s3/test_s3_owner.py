"""A prefix in S3 belongs to one catalogue, and no other one deletes anything there."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from stores import S3Store

from isobay.app import Isobay, build
from isobay.errors import SettingsError
from isobay.objects import HeldFiles
from isobay.objects.s3 import S3Objects
from isobay.objects.s3_place import Place
from isobay.settings import Settings
from service import environment

AT_ONCE = 8


def _built(store: S3Store, data_dir: Path) -> Isobay:
    return build(Settings.load(store.options, data_dir=data_dir))


def test_a_catalogue_does_not_start_on_anothers_prefix(store, tmp_path, small):
    """It says what to do, and the images of the first one stay; the first one starts again, and sweeps no mark."""
    first = _built(store, tmp_path / "first")
    first.adder.add_file(first.door.operate("test_area").place, small, "image", lambda _done, _total: None)
    images = store.left()
    ran = subprocess.run(
        [sys.executable, "-m", "isobay", "serve", "--port", "0", "--data-dir", str(tmp_path / "second")],
        env=environment(**store.options),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode != 0
    assert "belongs to another catalogue" in ran.stderr
    assert "ISOBAY_OBJECTS_URL" in ran.stderr
    assert "Traceback" not in ran.stderr
    again = _built(store, tmp_path / "first")
    assert again.sweep() == 0
    assert [each.whole for each in again.objects.stored()] == [True]
    assert store.left() == images
    for each in (first, again):
        each.catalog.close()


def test_an_operator_may_give_a_prefix_to_another_catalogue(store, tmp_path):
    """When the mark is deleted the next one has it, and the one before it has not any more."""
    _built(store, tmp_path / "first").catalog.close()
    with pytest.raises(SettingsError, match="delete that object"):
        _built(store, tmp_path / "second")
    store.s3.delete_object(Bucket=store.bucket, Key=f"{store.prefix}/owner")
    _built(store, tmp_path / "second").catalog.close()
    with pytest.raises(SettingsError, match="belongs to another catalogue"):
        _built(store, tmp_path / "first")


@pytest.mark.parametrize("content", [b"", b"x" * 100_000], ids=["empty", "long"])
def test_a_mark_that_is_none_of_ours_is_respected(store, tmp_path, content):
    """Somebody keeps other things there."""
    store.s3.put_object(Bucket=store.bucket, Key=f"{store.prefix}/owner", Body=content)
    with pytest.raises(SettingsError, match="belongs to another catalogue"):
        _built(store, tmp_path / "data")


def test_of_catalogues_that_start_at_the_same_moment_one_has_the_prefix(store, tmp_path):
    """And all its processes open it."""
    place, held = Place.of(Settings.load(store.options)), HeldFiles(tmp_path / "held")
    catalogues = [str(uuid4()) for _ in range(AT_ONCE // 2)] * 2

    def opens(catalogue: str) -> bool:
        try:
            S3Objects(place, held, catalogue)
        except SettingsError:
            return False
        return True

    with ThreadPoolExecutor(AT_ONCE) as threads:
        opened = list(threads.map(opens, catalogues))
    (owner,) = {catalogue for catalogue, is_open in zip(catalogues, opened, strict=True) if is_open}
    assert [catalogue == owner for catalogue in catalogues] == opened
