"""The secrets that keys are: how they are made, and what of them is kept."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

MAX_LENGTH = 256
_RANDOM_BYTES = 32


def new_secret() -> str:
    """Make a secret of 256 random bits. That many cannot be guessed, so a plain hash of it is safe to keep."""
    return f"isobay_{secrets.token_urlsafe(_RANDOM_BYTES)}"


def hashed(secret: str) -> tuple[bytes, bytes]:
    """Give (fingerprint, verifier), 16 bytes each: what finds a key's row, and what proves the key."""
    digest = sha256(secret.encode("utf-8", "surrogateescape")).digest()
    return digest[:16], digest[16:]


def proves(verifier: bytes, kept: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(verifier, kept)
