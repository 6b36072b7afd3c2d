"""The check of the store, and the verifying of images, where the images lie in S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from stocked import Stock

from isobay.access import OPERATOR
from isobay.app import build
from isobay.engines.local.verifying import Verifying
from isobay.model.requests import NewEnvironment
from isobay.settings import Settings

if TYPE_CHECKING:
    from s3_server import S3Server


class Bucket:
    """What lies in the store, as whoever has the bucket's key can change it."""

    def __init__(self, s3: Any, url: str) -> None:
        self._s3 = s3
        self._name, _, self._prefix = url.removeprefix("s3://").partition("/")

    def keys(self) -> list[str]:
        """The names of all images that lie there."""
        listed = self._s3.list_objects_v2(Bucket=self._name, Prefix=f"{self._prefix}/objects/")
        return [each["Key"] for each in listed.get("Contents", [])]

    def put(self, object_id: str, data: bytes) -> None:
        """Replace the bytes of an object."""
        [key] = [each for each in self.keys() if object_id in each]
        self._s3.put_object(Bucket=self._name, Key=key, Body=data)

    def delete(self, object_id: str) -> None:
        """Take an object away."""
        [key] = [each for each in self.keys() if object_id in each]
        self._s3.delete_object(Bucket=self._name, Key=key)


@pytest.fixture
def kept(s3: S3Server, tmp_path: Path, image_file: Path) -> Iterator[tuple[Stock, Bucket]]:
    """Furnish a data directory whose images lie in a bucket."""
    options = s3.options()
    built = build(Settings.load(options, data_dir=tmp_path / "data"))
    yield Stock(built, image_file), Bucket(s3.s3, options["ISOBAY_OBJECTS_URL"])
    built.catalog.close()


def test_what_is_wrong_in_s3_is_found_and_repaired(kept, other_image):
    """A changed byte, a lost end and a lost object, and bytes that nobody needs; what is put back is ready again."""
    stock, bucket = kept
    data, other = stock.image.read_bytes(), other_image.read_bytes()
    iso, lost = stock.add(), stock.add(other_image)
    object_id, lost_id = stock.kept(iso.id).object_id, stock.kept(lost.id).object_id
    assert stock.check() == []
    with stock.built.objects.resume(str(uuid4())) as part:
        part.append(b"left")
        part.sync()
    bucket.put(object_id, data[:-1] + bytes([data[-1] ^ 1]))
    bucket.delete(lost_id)
    assert stock.kinds() == ["missing", "orphan", "sha256"]
    assert stock.kinds(repairs=True) == ["missing", "orphan", "sha256"]
    assert [stock.iso(each.id).status for each in (iso, lost)] == ["failed", "failed"]
    assert stock.kinds(repairs=True) == []
    bucket.put(object_id, data)
    assert stock.kinds(repairs=True) == ["returned"]
    assert stock.content(iso.id) == data
    again = stock.add(other_image)
    assert stock.kinds(repairs=True) == ["returned"]
    assert stock.content(lost.id) == stock.content(again.id) == other
    assert stock.check() == []
    assert len(bucket.keys()) == 2


def test_a_repair_takes_no_bytes_of_another_environment(kept):
    """A signed URL would name them: the ISO fails, until an equal image comes into its own environment."""
    stock, bucket = kept
    iso = stock.add()
    stock.built.environments.create(OPERATOR, NewEnvironment(name="beside"))
    beside = stock.built.door.operate("beside").place
    others = stock.built.adder.add_file(beside, stock.image, "", lambda _done, _total: None)
    bucket.delete(stock.kept(iso.id).object_id)
    assert stock.kinds(repairs=True) == ["missing"]
    assert stock.iso(iso.id).status == "failed"
    assert stock.kinds(repairs=True) == []
    again = stock.add()
    assert stock.kinds(repairs=True) == ["returned"]
    assert stock.kept(iso.id).object_id == stock.kept(again.id).object_id != stock.kept(others.id).object_id


def test_an_image_in_s3_that_changed_is_found_by_a_worker(kept, other_image):
    """The ISO fails, and the sound one stays."""
    stock, bucket = kept
    data = stock.image.read_bytes()
    damaged, sound = stock.add(), stock.add(other_image)
    for iso in (damaged, sound):
        stock.age(iso.id)
    bucket.put(stock.kept(damaged.id).object_id, bytes([data[0] ^ 1]) + data[1:])
    Verifying(stock.built.catalog, stock.built.objects, 1 << 40, 30).verify(Event())
    assert [stock.iso(each.id).status for each in (damaged, sound)] == ["failed", "ready"]
