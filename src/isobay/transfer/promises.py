"""What a publisher promises of an image: checksums that were given, or that lie in a file beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from isobay.errors import ChecksumError, FetchError, SettingsError
from isobay.model import NewIso
from isobay.transfer.answers import Answer, status_failure
from isobay.transfer.checksums import Checksum, parse_checksum
from isobay.transfer.client import Client
from isobay.transfer.network import Network
from isobay.transfer.sums_file import MAX_SUMS_BYTES, find_checksum
from isobay.transfer.url import SourceUrl

SECONDS = 60.0


def promised(network: Network, halted: Callable[[], bool], wanted: NewIso, signing_keys: str) -> tuple[Checksum, ...]:
    """All that is promised of the image that is wanted.

    Raises ChecksumError where the file of checksums does not speak of it or is not signed as it should be,
    FetchError, AddressError.
    """
    found = [parse_checksum(wanted.checksum)] if wanted.checksum else []
    if wanted.checksum_url:
        with Client(network, halted) as client:
            place = SourceUrl.parse(wanted.checksum_url)
            sums = fetch_small(client, place)
            if wanted.signature_url:
                # A file that is signed within itself is its own signature.
                apart = wanted.signature_url != wanted.checksum_url
                signature = fetch_small(client, SourceUrl.parse(wanted.signature_url)) if apart else None
                sums = _signed(sums, signature, signing_keys)
        found.append(find_checksum(sums, SourceUrl.parse(wanted.url).file_name, place.file_name))
    return tuple(found)


def _signed(sums: bytes, signature: bytes | None, signing_keys: str) -> bytes:
    """What a signature covers of a file of checksums."""
    from isobay.transfer.signatures import load_signing_keys, verify_sums  # loading OpenPGP slows every command

    if not signing_keys:
        raise SettingsError(
            "A signature is to be checked, and ISOBAY_SIGNING_KEYS names no certificates to check it by. "
            "Put the publisher's certificate into a file or directory and name it there."
        )
    return verify_sums(sums, signature, load_signing_keys(Path(signing_keys))).data


def fetch_small(client: Client, url: SourceUrl, limit: int = MAX_SUMS_BYTES) -> bytes:
    """A small file, whole. Raises FetchError, also for one of more than ``limit`` bytes."""
    found = bytearray()

    def begin(answer: Answer) -> None:
        if answer.status != 200:
            raise status_failure(answer)

    def take(data: bytes) -> None:
        found.extend(data)
        if len(found) > limit:
            raise FetchError(
                f"{url.shown} has more than {limit} bytes, which no file of checksums needs. Check the URL.",
                reason="too-large",
            )

    client.get(url, begin, take, seconds=SECONDS)
    return bytes(found)


def check(
    promises: tuple[Checksum, ...],
    *digests: dict[str, str],
    came: str = "The file at the URL is damaged, or another one",
) -> None:
    """Raise ChecksumError unless each promise is kept by one of these: the image's digests, or those of its packing.

    ``came`` says what is the matter then.
    """
    for promise in promises:
        had = [each[promise.algorithm] for each in digests if promise.algorithm in each]
        if not any(promise.matches(digest) for digest in had):
            raise ChecksumError(
                f"The {promise.algorithm} of what came is {had[0] if had else 'not known'}, and not the promised "
                f"{promise.hexdigest}. {came}: nothing of it was kept.",
                expected=str(promise),
                found=had[0] if had else "",
            )
