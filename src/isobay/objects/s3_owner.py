"""Whose a store in S3 is: a catalogue deletes what it does not name, and two would delete each other's images."""

from __future__ import annotations

from contextlib import closing, suppress

from isobay.errors import MissingObjectError, SettingsError
from isobay.objects.s3_bucket import Bucket
from isobay.objects.s3_layout import OWNER

MOST_BYTES = 100


def claim(bucket: Bucket, catalogue: str) -> None:
    """Take a store that is nobody's for a catalogue, by its id. Raises SettingsError where it is another one's."""
    owner = _read(bucket)
    if owner is None:
        with suppress(MissingObjectError):  # made meanwhile, by another process of this catalogue or of another one
            bucket.put_new(OWNER, catalogue.encode())
        owner = _read(bucket)  # also what a server says that does not know how to write only what is new
    if owner != catalogue.encode():
        raise SettingsError(
            f"{bucket.shown} belongs to another catalogue, as the object {OWNER!r} there says, and two would delete "
            "each other's images. Name another prefix in ISOBAY_OBJECTS_URL, or by ISOBAY_DATABASE_URL or "
            "ISOBAY_DATA_DIR the catalogue that the images belong to. If this one is to take its place for good, "
            "delete that object and start again: images that this catalogue does not name are deleted then."
        )


def _read(bucket: Bucket) -> bytes | None:
    found = bucket.find(OWNER)
    if found is None or not found.size:
        return None if found is None else b""
    with closing(bucket.stream(found, 0, min(found.size, MOST_BYTES))) as stream:
        return stream.read(MOST_BYTES)
