"""Where a store in S3 lies, as the settings say it."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from tempfile import NamedTemporaryFile

from msgspec import Struct

from isobay.errors import SettingsError
from isobay.settings import Settings

MIB = 1 << 20
PIECE_BYTES = 8 * MIB
MOST_PIECES = 10_000  # of one object, in S3
# The names that S3 takes for buckets, and the characters that it calls safe in keys.
_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/[A-Za-z0-9!_.*'()/-]{0,200})?")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/?")


class Place(Struct, frozen=True):
    """A bucket, what the keys in it begin with, and how it is reached.

    An empty ``endpoint`` is Amazon's, an empty ``access_key`` what boto3 finds. ``authorities`` is a file in PEM, and
    empty where boto3's own are trusted. An image comes in pieces of ``piece_bytes``. Those who
    download by link are sent there where it ``gives_links``.
    """

    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key: str
    secret_key: str
    authorities: str
    piece_bytes: int
    gives_links: bool

    @classmethod
    def of(cls, settings: Settings) -> Place:
        """The one that the settings name. Raises SettingsError."""
        # Neither is repeated in an error: who writes a URL in a wrong way may have put a password into it.
        found = _URL.fullmatch(settings.objects_url)
        if not found:
            raise SettingsError(
                "ISOBAY_OBJECTS_URL names no place in S3. Write s3://bucket or s3://bucket/prefix, or leave it out to "
                "keep images on the disk."
            )
        if settings.s3_endpoint and not _ENDPOINT.fullmatch(settings.s3_endpoint):
            raise SettingsError("ISOBAY_S3_ENDPOINT is no server's URL. Write it as https://s3.example.org.")
        if bool(settings.s3_access_key) != bool(settings.s3_secret_key):
            raise SettingsError("ISOBAY_S3_ACCESS_KEY and ISOBAY_S3_SECRET_KEY belong together: set both or neither.")
        return cls(
            bucket=found[1],
            prefix=f"{prefix}/" if (prefix := (found[2] or "").strip("/")) else "",
            endpoint=settings.s3_endpoint,
            region=settings.s3_region,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key,
            authorities=_authorities(settings),
            piece_bytes=_piece_bytes(settings.max_iso_bytes),
            gives_links=settings.s3_redirect,
        )


def _piece_bytes(most: int) -> int:
    return max(PIECE_BYTES, -(-most // MOST_PIECES // MIB) * MIB)


def _authorities(settings: Settings) -> str:
    """The file of those to trust: the system's, and beside them those of ISOBAY_CA_FILE."""
    system = ssl.get_default_verify_paths().cafile
    if not settings.ca_file:
        return system or ""
    both = settings.cache_dir / "s3-authorities.pem"
    try:
        trusted = b"\n".join(Path(file).read_bytes() for file in (system, settings.ca_file) if file)
        settings.cache_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        # boto3 takes a path and nothing else; whoever starts at the same moment must not read half of it.
        with NamedTemporaryFile(dir=settings.cache_dir, delete=False) as file:
            file.write(trusted)
        Path(file.name).replace(both)
    except OSError as error:
        raise SettingsError(f"ISOBAY_CA_FILE {settings.ca_file} cannot be copied to {both}: {error}.") from error
    return str(both)
