"""Sealing what must be remembered and may not be read: requests whose URLs hold credentials."""

from __future__ import annotations

import os
import secrets
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from isobay.errors import SettingsError, StorageError

KEY_FILE = "secret.key"
KEY_BYTES = 32
PURPOSE = b"isobay import requests"


class Seal:
    """Authenticated encryption by one secret (Fernet; its key by HKDF-SHA256, RFC 5869)."""

    def __init__(self, secret: bytes) -> None:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret)
        self._fernet = Fernet(urlsafe_b64encode(key))

    def seal(self, text: str) -> str:
        """Encrypt."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, token: str) -> str:
        """Decrypt. Raises SettingsError for what was sealed with another secret."""
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise SettingsError(
                "What the import was asked for cannot be read: it was sealed with another secret. Set "
                f"ISOBAY_SECRET_KEY as it was, bring back {KEY_FILE} of the data directory, or delete the ISO and "
                "import it again."
            ) from error


def load_seal(secret_key: str, data_dir: Path) -> Seal:
    """The seal of the settings' secret or, without one, of a random secret that the data directory keeps."""
    if secret_key:
        return Seal(secret_key.encode())
    path = data_dir / KEY_FILE
    try:
        with suppress(FileNotFoundError):
            return Seal(path.read_bytes())
        _make(path)
        return Seal(path.read_bytes())
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read or made: {os.strerror(error.errno or 0)}. Check the rights of the directory."
        ) from error


def _make(path: Path) -> None:
    """Make the file whole or not at all; of two processes that start at once, one makes it."""
    part = path.with_name(f"{KEY_FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
        os.fsync(descriptor)
        with suppress(FileExistsError):
            path.hardlink_to(part)
    finally:
        os.close(descriptor)
        part.unlink()
