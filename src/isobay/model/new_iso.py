"""What callers send to import an ISO from a URL."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from isobay.model.iso import Description, Name
from isobay.model.requests import Text

URL_LENGTH = 4096
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_LOGIN = r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+:[A-Za-z0-9._~!$&'()*+,;=%-]*@)?"
_PORT = "(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])?)?"
_PATH = r"(?:[/?#][^\x00-\x20\x7f-\x9f\\]*)?"
_HEX = "[0-9A-Fa-f]"
_GROUP = f"{_HEX}{{1,4}}"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LAST = rf"(?:{_GROUP}:{_GROUP}|{_OCTET}(?:\.{_OCTET}){{3}})"
# RFC 3986 3.2.2: all eight groups, or "::" after up to seven of them and before the rest.
_IPV6 = "|".join(
    [
        f"(?:{_GROUP}:){{6}}{_LAST}",
        f"::(?:{_GROUP}:){{5}}{_LAST}",
        *(f"(?:(?:{_GROUP}:){{0,{most}}}{_GROUP})?::(?:{_GROUP}:){{{4 - most}}}{_LAST}" for most in range(5)),
        f"(?:(?:{_GROUP}:){{0,5}}{_GROUP})?::{_GROUP}",
        f"(?:(?:{_GROUP}:){{0,6}}{_GROUP})?::",
    ]
)
_REST = rf"{_LOGIN}(?:{_LABEL}(?:\.{_LABEL})*\.?|\[(?:{_IPV6})\]){_PORT}{_PATH}"
# RFC 3230 names the algorithms with a hyphen, as CloudStack's braces do; sha256sum's users write them without.
_CHECKSUM = "|".join(
    [
        rf"(?:[Mm][Dd]5:|\{{[Mm][Dd]5\}})?{_HEX}{{32}}",
        *(
            rf"(?:[Ss][Hh][Aa]-?{bits}:|\{{[Ss][Hh][Aa]-?{bits}\}})?{_HEX}{{{length}}}"
            for bits, length in ((1, 40), (224, 56), (256, 64), (384, 96), (512, 128))
        ),
    ]
)
_WANTED = {"wanted": "an http or https URL as browsers send it: no blanks, the host as xn--…, other letters as %…"}

SourceUrl = Annotated[
    str,
    Meta(
        max_length=URL_LENGTH,
        pattern=rf"^[Hh][Tt][Tt][Pp][Ss]?://{_REST}\Z",
        description="An http or https URL; credentials in it are used and never shown",
        extra=_WANTED,
    ),
]
OptionalSourceUrl = Annotated[
    str,
    Meta(
        max_length=URL_LENGTH,
        pattern=rf"^(?:[Hh][Tt][Tt][Pp][Ss]?://{_REST})?\Z",
        description="An http or https URL",
        extra=_WANTED,
    ),
]
Checksum = Annotated[
    str,
    Meta(
        pattern=rf"^(?:{_CHECKSUM})?\Z",
        description="sha256:…, {SHA-256}…, or bare hex digits whose number tells the algorithm; MD5 to SHA-512",
        extra={"wanted": "sha256:…, {SHA-256}… or bare hex digits, as many as MD5, SHA-1 or SHA-2 have"},
    ),
]


class NewIso(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What makes an ISO out of a URL. What is said of ``bootable`` and ``os_type_id`` wins over what is detected.

    ``checksum`` is of the bytes at the URL or, where they are compressed, of the image in them.
    ``checksum_url`` is a file such as SHA256SUMS, ``signature_url`` the OpenPGP signature of that file.
    """

    name: Name
    description: Description
    url: SourceUrl
    zone_id: Text = ""
    bootable: bool | UnsetType = UNSET
    os_type_id: Text | UnsetType = UNSET
    checksum: Checksum = ""
    checksum_url: OptionalSourceUrl = ""
    signature_url: OptionalSourceUrl = ""
    extractable: bool = False
    available_publicly: bool = False


class UrlToInspect(NewIso, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What is sent to the import doctor: what would be sent to import, of which only ``url`` is required."""

    name: Name = ""
    description: Description = ""
