"""The publisher's checksum, where one is named or lies beside the image."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from isobay.errors import AddressError, ChecksumError, FetchError
from isobay.transfer.checksums import Checksum
from isobay.transfer.client import Client, HaltedError
from isobay.transfer.promises import fetch_small
from isobay.transfer.sums_file import find_checksum
from isobay.transfer.url import SourceUrl

MAX_BYTES = 64 << 10  # of each file: the whole look is to cost little
_OF_DIRECTORIES = ("SHA256SUMS", "sha256sum.txt", "CHECKSUM")


def beside(client: Client, url: SourceUrl) -> tuple[Checksum, SourceUrl] | None:
    """Look for a file of checksums where publishers put it, as long as the client may ask on."""
    for place in _places(url):
        try:
            data = fetch_small(client, place, MAX_BYTES)
        except HaltedError:
            return None
        except (FetchError, AddressError) as error:
            if error.context.get("reason") == "budget":
                return None
            continue  # mostly a 404, and no other failure is news either: the image's own server has just answered
        try:
            return find_checksum(data, url.file_name, place.file_name), place
        except ChecksumError:
            continue  # a page in the place of a 404, for one
    return None


def _places(url: SourceUrl) -> Iterator[SourceUrl]:
    if not url.file_name:
        return
    bare = replace(url, query=None)
    yield replace(bare, path=f"{url.path}.sha256")
    directory = url.path.rpartition("/")[0]
    for name in _OF_DIRECTORIES:
        yield replace(bare, path=f"{directory}/{name}")
