"""Making an object of pieces and pieces of an object: S3 itself copies, and no byte comes through here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from isobay.errors import IsobayError, MissingObjectError, StorageError
from isobay.objects.s3_bucket import Bucket, Found
from isobay.objects.s3_failures import REFUSES
from isobay.objects.s3_layout import Keys, Piece

AT_ONCE = 8
T = TypeVar("T")
R = TypeVar("R")


def assemble(bucket: Bucket, keys: Keys, pieces: Sequence[Piece]) -> None:
    """Make the pieces an object, whole and durable. Raises MissingObjectError where one is gone or has changed."""
    give_up_unfinished(bucket, keys.whole)  # what somebody left who died at this
    if pieces:
        _copy_all(bucket, keys.whole, [(each.found, 0, each.end - each.start) for each in pieces])
    else:
        bucket.put(keys.whole, b"")
    found = bucket.find(keys.whole)
    size = pieces[-1].end if pieces else 0
    if found is None or found.size != size:
        bucket.delete([keys.whole])
        raise StorageError(
            f"{bucket.shown} made an object of {found.size if found else 0} bytes of pieces that have {size}. "
            "Nothing of it is used; tell whoever runs that store.",
            public=REFUSES,
        )


def take_apart(bucket: Bucket, keys: Keys, whole: Found, piece_bytes: int) -> list[Piece]:
    """Make pieces of an object, which stays."""

    def cut(start: int) -> Piece:
        end = min(start + piece_bytes, whole.size)
        key = keys.piece(start, end)
        _copy_all(bucket, key, [(whole, start, end)])
        found = bucket.find(key)
        if found is None or found.size != end - start:
            raise MissingObjectError(
                f"{bucket.shown} does not have the piece {key} that it made a moment ago.", public=REFUSES
            )
        return Piece(start, end, found)

    return _each(cut, range(0, whole.size, piece_bytes))


def give_up_unfinished(bucket: Bucket, prefix: str) -> None:
    """Delete what was copied into objects that nobody will complete."""
    for assembly in list(bucket.unfinished(prefix)):
        bucket.give_up(assembly)


def _copy_all(bucket: Bucket, key: str, sources: Sequence[tuple[Found, int, int]]) -> None:
    assembly = bucket.begin(key)

    def copy(number: int) -> str:
        return bucket.copy(assembly, number, *sources[number - 1])

    try:
        numbers = range(1, len(sources) + 1)
        etags = [copy(1)] if len(sources) == 1 else _each(copy, numbers)
    except BaseException:
        with suppress(IsobayError):  # a sweep does it later
            bucket.give_up(assembly)
        raise
    with suppress(MissingObjectError):  # completed at the first try, whose answer was lost: the caller looks
        bucket.complete(assembly, etags)


def _each(function: Callable[[T], R], arguments: Sequence[T]) -> list[R]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        futures = [threads.submit(function, each) for each in arguments]
        try:
            return [each.result() for each in futures]
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
