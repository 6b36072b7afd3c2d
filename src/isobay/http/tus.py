"""The headers of tus 1.0.0, the protocol of uploads that are gone on with: https://tus.io/protocols/resumable-upload"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import msgspec

from isobay.errors import InvalidFieldsError, IsobayError, MediaTypeError, PreconditionError, TooLargeError
from isobay.http.fields import read_values
from isobay.image import SMALLEST
from isobay.model import NewUpload, Upload
from isobay.transfer.checksums import HEX_DIGITS, Checksum

VERSION = "1.0.0"
OCTET_STREAM = "application/offset+octet-stream"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
ALGORITHMS = ("sha256", "sha1", "md5")
METADATA_LENGTH = 16_384
MAX_SIZE = 1 << 62
_TRUTHS = {"true": True, "1": True, "": True, "false": False, "0": False}
_KNOWN = {field.encode_name for field in msgspec.structs.fields(NewUpload)}
_FLAGS = {"extractable", "availablePublicly"}
_NUMBER = re.compile(r"[0-9]{1,19}")
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")

Headers = dict[str, str]


def abilities(max_iso_bytes: int) -> Headers:
    """What OPTIONS tells."""
    return {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(max_iso_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def check_version(headers: Headers) -> None:
    """Raise PreconditionError unless the request speaks this version."""
    if headers.get("tus-resumable") != VERSION:
        raise PreconditionError(
            f"The request does not say that it speaks tus {VERSION}. Send the header Tus-Resumable: {VERSION}.",
            versions=VERSION,
        )


def state(upload: Upload) -> Headers:
    """The headers that tell how far an upload is."""
    told = {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(upload.offset),
        "Cache-Control": "no-store",
    }
    if upload.offset != upload.length:  # what is whole does not expire
        told["Upload-Expires"] = format_datetime(datetime.fromisoformat(upload.expires), usegmt=True)
    return told | ({"Upload-Length": str(upload.length)} if upload.length >= 0 else {"Upload-Defer-Length": "1"})


def refusal(error: IsobayError) -> Headers:
    """The headers of an error's answer: which versions there are, and where an upload is."""
    told = {"Tus-Resumable": VERSION}
    if isinstance(error, PreconditionError):
        told["Tus-Version"] = VERSION
    if "offset" in error.context:
        told["Upload-Offset"] = str(error.context["offset"])
    return told


def length(headers: Headers) -> int:
    """How long the upload is to be. Raises InvalidFieldsError, TooLargeError."""
    for name in ("upload-defer-length", "upload-concat"):
        if name in headers:
            raise InvalidFieldsError({name.title(): f"is of an extension that is not here; there is {EXTENSIONS}"})
    size = _number(headers, "upload-length")
    if size < SMALLEST:
        raise InvalidFieldsError({"Upload-Length": f"is {size}, and no ISO image has less than {SMALLEST} bytes"})
    return size


def offset(headers: Headers) -> int:
    """Where the request's bytes belong."""
    return _number(headers, "upload-offset")


def has_body(headers: Headers) -> bool:
    """Whether the request brings bytes."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def check_type(headers: Headers) -> None:
    """Raise MediaTypeError unless the body is of the type that the protocol demands."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != OCTET_STREAM:
        raise MediaTypeError(f"The body of an upload is sent with the header Content-Type: {OCTET_STREAM}.")


def check_fits(headers: Headers, at: int, whole: int) -> None:
    """Raise TooLargeError where the body is longer than what is missing."""
    size = headers.get("content-length", "")
    if _NUMBER.fullmatch(size) and at + int(size) > whole:
        raise TooLargeError(
            f"The upload was begun for {whole} bytes. {at} of them are here, and this request brings {size}, which "
            "is more than is missing. Nothing of it was taken.",
            limit=whole,
        )


def proof(headers: Headers) -> Checksum | None:
    """What the request says its own bytes have. Raises InvalidFieldsError."""
    given = headers.get("upload-checksum")
    if given is None:
        return None
    algorithm, _, encoded = given.partition(" ")
    digest = _decoded(encoded, "Upload-Checksum")
    if algorithm not in ALGORITHMS or len(digest) * 2 != HEX_DIGITS[algorithm]:
        raise InvalidFieldsError(
            {"Upload-Checksum": f"is an algorithm of {', '.join(ALGORITHMS)}, a blank, and its digest in base64"}
        )
    return Checksum(algorithm, digest.hex())


def wanted(headers: Headers) -> NewUpload:
    """What the metadata say of the image; unknown keys are left alone. Raises InvalidFieldsError."""
    values: dict[str, Any] = {}
    given = headers.get("upload-metadata", "")
    if len(given) > METADATA_LENGTH:
        raise InvalidFieldsError({"Upload-Metadata": f"must have at most {METADATA_LENGTH} characters"})
    seen = set()
    for pair in given.split(",") if given.strip() else ():
        key, _, encoded = pair.strip().partition(" ")
        if not _KEY.fullmatch(key) or key in seen:
            raise InvalidFieldsError({"Upload-Metadata": "is pairs of a key, once each, a blank and a value in base64"})
        seen.add(key)
        value = _decoded(encoded, f"Upload-Metadata {key}" if key in _KNOWN else "Upload-Metadata")
        if key in _KNOWN:
            values[key] = _text(value, key)
    return read_values(values, NewUpload)


def _text(value: bytes, key: str) -> str | bool:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise InvalidFieldsError({key: "must be UTF-8, in base64"}) from error
    if key not in _FLAGS:
        return text
    if text.lower() not in _TRUTHS:
        raise InvalidFieldsError({key: "must be true or false"})
    return _TRUTHS[text.lower()]


def _decoded(encoded: str, name: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidFieldsError({name: "must be base64"}) from error


def _number(headers: Headers, name: str) -> int:
    given = headers.get(name, "")
    if not given:
        raise InvalidFieldsError({name.title(): "is missing; send this header with a number of bytes"})
    if not _NUMBER.fullmatch(given):
        raise InvalidFieldsError({name.title(): "must be a number of bytes, in at most 19 digits"})
    if int(given) > MAX_SIZE:
        raise InvalidFieldsError({name.title(): f"is {given} bytes, and nothing larger than {MAX_SIZE} is counted"})
    return int(given)
