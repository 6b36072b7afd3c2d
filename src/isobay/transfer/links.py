"""Links that let whoever has them fetch one ISO for a while: signed, and kept nowhere."""

from __future__ import annotations

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64Error
from hashlib import sha256
from time import time
from uuid import UUID

from msgspec import Struct

from isobay.errors import NotFoundError
from isobay.transfer.sealing import derived_key

_PURPOSE = b"isobay download links 1"
_CONTENT = struct.Struct(">16s16sQ")
_TOKEN_LENGTH = (_CONTENT.size + sha256().digest_size) * 4 // 3  # both are such that base64 needs no padding


class Link(Struct, frozen=True):
    """What a link leads to: an ISO as it is seen from an environment, until a time in seconds since 1970."""

    iso_id: str
    environment_id: str
    expires: int


class Links:
    """Signs links and reads them (HMAC-SHA256, RFC 2104, with a key that is derived from the secret)."""

    def __init__(self, secret: str) -> None:
        self._key = derived_key(secret, _PURPOSE)

    def token(self, link: Link) -> str:
        """The token of a link: the same each time for the same link."""
        content = _CONTENT.pack(UUID(link.iso_id).bytes, UUID(link.environment_id).bytes, link.expires)
        return urlsafe_b64encode(content + self._signature(content)).decode()

    def read(self, token: str) -> Link:
        """What a token leads to. Raises NotFoundError, with one sentence for all of them, for what is none of ours."""
        content, signature = _parts(token)
        if not hmac.compare_digest(signature, self._signature(content)):
            raise no_such_link()
        iso, environment, expires = _CONTENT.unpack(content)
        if expires <= time():
            raise no_such_link()
        return Link(str(UUID(bytes=iso)), str(UUID(bytes=environment)), expires)

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")


def no_such_link() -> NotFoundError:
    """The answer for a link that leads nowhere, whether it never did or does no more."""
    return NotFoundError("This link leads nowhere, or does no more. Ask for a new one.", type="downloads")


def _parts(token: str) -> tuple[bytes, bytes]:
    if len(token) != _TOKEN_LENGTH:
        raise no_such_link()
    try:
        decoded = urlsafe_b64decode(token.encode("ascii"))
    except (UnicodeEncodeError, NotBase64Error) as error:
        raise no_such_link() from error
    if len(decoded) != _CONTENT.size + sha256().digest_size:  # letters that are none of base64's are passed over
        raise no_such_link()
    return decoded[: _CONTENT.size], decoded[_CONTENT.size :]
