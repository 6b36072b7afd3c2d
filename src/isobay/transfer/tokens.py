"""Signed tokens: a few bytes with their proof, in letters that stand in a path. They are kept nowhere."""

from __future__ import annotations

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64Error
from hashlib import sha256
from typing import Any

from isobay.transfer.sealing import derived_key

_PROOF = sha256().digest_size


class Tokens:
    """Signs and reads tokens of one purpose (HMAC-SHA256, RFC 2104, with a key that is derived from the secret).

    Layouts are such that base64 needs no padding: with the proof their size is a multiple of three.
    """

    def __init__(self, secret: str, purpose: bytes, layout: struct.Struct) -> None:
        self._key = derived_key(secret, purpose)
        self._layout = layout
        self._length = (layout.size + _PROOF) * 4 // 3

    def sign(self, *values: Any) -> str:
        """The token of some values: the same each time for the same."""
        content = self._layout.pack(*values)
        return urlsafe_b64encode(content + self._proof(content)).decode()

    def read(self, token: str) -> tuple[Any, ...] | None:
        """The values of a token; None for what is none of ours."""
        if len(token) != self._length:
            return None
        try:
            decoded = urlsafe_b64decode(token.encode("ascii"))
        except (UnicodeEncodeError, NotBase64Error):
            return None
        content, proof = decoded[: self._layout.size], decoded[self._layout.size :]
        # Letters that are none of base64's are passed over: less may have come out of them.
        if len(proof) != _PROOF or not hmac.compare_digest(proof, self._proof(content)):
            return None
        return self._layout.unpack(content)

    def _proof(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")
