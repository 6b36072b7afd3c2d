"""Sealing: what must be kept and not be read in the catalogue, such as credentials in a URL."""

from __future__ import annotations

import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path
from uuid import uuid4

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from isobay.errors import SettingsError

KEY_FILE = "secret.key"
_KEY_BYTES = 32
_MAX_FILE_BYTES = 4096
_DIRECTORY_MODE = 0o750
_FILE_MODE = 0o600
_PURPOSE = b"isobay credentials 1"  # another purpose or version gets another key from the same secret


class Seal:
    """Seals short texts with a key that is derived from a secret (HKDF-SHA256, RFC 5869; Fernet's tokens)."""

    def __init__(self, secret: str) -> None:
        self._fernet = Fernet(urlsafe_b64encode(derived_key(secret, _PURPOSE)))

    def seal(self, text: str) -> str:
        """Give a token that tells nothing of the text but its rough length and when it was sealed."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, token: str) -> str:
        """Give the text that was sealed. Raises SettingsError where it was sealed with another secret, or changed."""
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise SettingsError(
                "What was sealed in the catalogue cannot be opened: the secret is not the one it was sealed with. "
                f"Bring back the former ISOBAY_SECRET_KEY or {KEY_FILE}, or give the credentials again.",
                option="secret_key",
            ) from error


def load_seal(secret_key: str, data_dir: Path) -> Seal:
    """Make the seal of the secret that ``load_secret`` gives."""
    return Seal(load_secret(secret_key, data_dir))


def derived_key(secret: str, purpose: bytes) -> bytes:
    """A key of 32 bytes for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose).derive(
        secret.encode("utf-8", "surrogateescape")  # a variable of the environment may hold any bytes
    )


def load_secret(secret_key: str, data_dir: Path) -> str:
    """Give the secret or, where that is empty, a random one in ``data_dir``, kept there from then on.

    Processes that start at once agree on the secret. Raises SettingsError where the file cannot be made or read.
    """
    return secret_key or _kept_secret(data_dir / KEY_FILE)


def _kept_secret(path: Path) -> str:
    try:
        if not path.exists():
            _make(path)
        with path.open("rb") as opened:
            secret = opened.read(_MAX_FILE_BYTES).strip()
    except OSError as error:
        raise SettingsError(
            f"The secret in {path} cannot be read or made: {os.strerror(error.errno or 0)}. Check the owner and rights "
            "of the file and its directory, or set ISOBAY_SECRET_KEY.",
            option="secret_key",
        ) from error
    if len(secret) < _KEY_BYTES or not secret.isascii():
        raise SettingsError(
            f"{path} is damaged: it does not hold a secret of {_KEY_BYTES} characters or more. Bring it back from a "
            "backup. Delete it only if no import waits that has credentials in its URL: they cannot be opened then.",
            option="secret_key",
        )
    return secret.decode()


def _make(path: Path) -> None:
    """Make the file whole or not at all; where another process was first, its file stays."""
    path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(f"{secrets.token_urlsafe(_KEY_BYTES)}\n".encode())
            opened.flush()
            os.fsync(descriptor)
        # A rename would replace the other process's file, which may have been read by now; a link never does.
        path.hardlink_to(part)
    except FileExistsError:
        return
    finally:
        part.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
