"""OpenPGP signatures of checksum files (RFC 9580): detached, or around the text (clear-signed)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path

from msgspec import Struct
from pysequoia import Cert, Sig, verify
from pysequoia.packet import Packet, PacketPile, SignatureType, Tag

from isobay.errors import ChecksumError, SettingsError

MAX_SIGNATURE_BYTES = 256 << 10
MAX_SIGNATURES = 32
MAX_KEY_FILE_BYTES = 16 << 20
MAX_KEY_FILES = 1000
_KEY_SUFFIXES = frozenset({".asc", ".gpg", ".key", ".pgp"})
_BEGIN_TEXT = re.compile(rb"^-----BEGIN PGP SIGNED MESSAGE-----[ \t\r]*$", re.MULTILINE)
_BEGIN_SIGNATURE = re.compile(rb"^-----BEGIN PGP SIGNATURE-----[ \t\r]*$", re.MULTILINE)
_END = b"-----END PGP SIGNATURE-----"


class SignedSums(Struct, frozen=True):
    """What was really signed, and by whose certificates: fingerprints in lower case, at least one."""

    data: bytes
    signers: list[str]


class SigningKeys:
    """The certificates whose signatures are believed. ``where`` names them to people."""

    def __init__(self, certificates: list[Cert], where: str) -> None:
        self.where = where
        self._certificates: dict[str, Cert] = {}
        for certificate in certificates:
            known = self._certificates.get(certificate.fingerprint)
            self._certificates[certificate.fingerprint] = known.merge(certificate) if known else certificate

    def __len__(self) -> int:
        return len(self._certificates)

    def all(self, _issuers: list[str]) -> list[Cert]:
        """Every certificate, for ``verify`` to pick from."""
        return list(self._certificates.values())

    def doubt(self, fingerprint: str, key: str, now: datetime) -> str:
        """Say why this certificate of ours, or the key of it that signed, is believed no longer; empty where it is.

        The date of a signature is what the signer says it is: with a key that came into wrong hands after it had
        expired, signatures of former days can be made.
        """
        certificate = self._certificates[fingerprint]
        try:
            ends = [certificate.expiration, _subkey_expiration(certificate, key)]
        except RuntimeError:
            return "has no valid binding of its owner to its key, by today's rules for OpenPGP"
        if certificate.is_revoked:
            return "was revoked by its owner"
        return next((f"expired on {end:%Y-%m-%d}" for end in ends if end and end <= now), "")

    def owner(self, issuer: str) -> str:
        """The fingerprint of the certificate that has this key, named by fingerprint or key id; empty for none."""
        for fingerprint, certificate in self._certificates.items():
            if any(_is(part, issuer) for part in PacketPile.from_bytes(bytes(certificate))):
                return fingerprint
        return ""


def load_signing_keys(path: Path) -> SigningKeys:
    """Read the certificates in a file, or in a directory's .asc, .gpg, .key and .pgp files; armored or binary.

    Raises SettingsError, for ``signing_keys``, where something cannot be read.
    """
    return SigningKeys(list(_certificates(path)), str(path))


def verify_sums(data: bytes, signature: bytes | None, keys: SigningKeys) -> SignedSums:
    """Prove a checksum file by its detached signature or, where that is None, by the one around its text.

    Of a clear-signed file only the signed text is given; what stands before and after it is dropped.
    Raises ChecksumError where no certificate in ``keys`` that holds today made a good signature.
    """
    if not keys:
        raise ChecksumError(
            "The signature of the checksum file cannot be proved: there is no OpenPGP certificate in "
            f"{keys.where}. Put the publisher's certificate there, or set ISOBAY_SIGNING_KEYS to where it is.",
            public="The signature of the checksum file cannot be proved: there is no OpenPGP certificate where "
            "ISOBAY_SIGNING_KEYS says. Ask whoever runs isobay to put the publisher's there.",
        )
    now = datetime.now(UTC)
    if signature is None:
        message, armor = _clear_signed(data)
        packets = _signatures(armor)
        signed, signers = _verified(message, None, keys)
    else:
        packets = _signatures(signature)
        signed = data
        signers = [signer for packet in packets for signer in _verified(data, packet, keys)[1]]
    believed = list(dict.fromkeys(owner for owner, key in signers if not keys.doubt(owner, key, now)))
    if not believed:
        raise _not_proved(packets, keys, now)
    return SignedSums(signed, believed)


def _verified(data: bytes, packet: Packet | None, keys: SigningKeys) -> tuple[bytes, list[tuple[str, str]]]:
    """Give the signed bytes (none where they are ``data``), and of each signer the certificate and the key."""
    try:
        verified = verify(bytes=data, store=keys.all, signature=Sig.from_bytes(bytes(packet)) if packet else None)
    except RuntimeError:  # all that pysequoia raises; _not_proved finds out why
        return b"", []
    return verified.bytes or b"", [(valid.certificate, valid.signing_key) for valid in verified.valid_sigs]


def _clear_signed(data: bytes) -> tuple[bytes, bytes]:
    """Cut out the first clear-signed message, and of it the armored signature (RFC 9580, 7)."""
    text = _BEGIN_TEXT.search(data)
    armor = _BEGIN_SIGNATURE.search(data, text.end()) if text else None
    end = data.find(_END, armor.end()) if armor else -1
    if text is None or armor is None or end < 0:
        raise ChecksumError(
            "The checksum file carries no OpenPGP signature around its text. Give the URL of its signature, such as "
            "SHA256SUMS.gpg, as signatureUrl."
        )
    end += len(_END)
    return data[text.start() : end] + b"\n", data[armor.start() : end] + b"\n"


def _signatures(data: bytes) -> list[Packet]:
    """Read a detached signature, or several: binary or armored. Nothing in it is unpacked."""
    if len(data) > MAX_SIGNATURE_BYTES:
        raise ChecksumError(f"The signature of the checksum file has more than {MAX_SIGNATURE_BYTES} bytes.")
    try:
        packets = list(PacketPile.from_bytes(data))
    except RuntimeError:
        packets = []
    if not 0 < len(packets) <= MAX_SIGNATURES or any(packet.tag != Tag.Signature for packet in packets):
        raise ChecksumError(
            "The signature of the checksum file is not an OpenPGP signature. Look whether its URL is right: it must be "
            f"that of a detached signature, with at most {MAX_SIGNATURES} signers."
        )
    return packets


def _not_proved(packets: list[Packet], keys: SigningKeys, now: datetime) -> ChecksumError:
    issuers = [packet.issuer_fingerprint or packet.issuer_key_id or "" for packet in packets]
    reasons = [_reason(issuer, keys, now) for issuer in dict.fromkeys(issuers)]
    return ChecksumError(f"The signature of the checksum file is not believed. {' '.join(reasons[:3])}", keys=issuers)


def _reason(issuer: str, keys: SigningKeys, now: datetime) -> str:
    owner = keys.owner(issuer) if issuer else ""
    if not owner:
        key = issuer.upper() or "that it does not name"
        return (
            f"It was made with the key {key}, which is in no certificate in {keys.where}: if you trust "
            "that key's owner, put the certificate there."
        )
    if doubt := keys.doubt(owner, issuer, now):
        return f"It was made with the key {issuer.upper()}, whose certificate {doubt}: get the publisher's present one."
    return (
        f"It names the key {issuer.upper()} and does not fit: the file or the signature was changed, or belongs to "
        "another release. Fetch both again from the publisher."
    )


def _is(part: Packet, key: str) -> bool:
    return key in (part.fingerprint, part.key_id)


def _subkey_expiration(certificate: Cert, key: str) -> datetime | None:
    """When a subkey ends by its latest binding; None where it does not, and for the primary key."""
    subkey: Packet | None = None
    bindings: list[tuple[datetime, datetime | None]] = []
    for part in PacketPile.from_bytes(bytes(certificate)):
        if part.fingerprint:
            subkey = part if part.tag == Tag.PublicSubkey and _is(part, key) else None
        elif subkey and part.signature_type == SignatureType.SubkeyBinding and part.signature_created:
            made, period = subkey.key_created, part.key_validity_period
            bindings.append((part.signature_created, made + period if made and period else None))
    return max(bindings, key=itemgetter(0))[1] if bindings else None


def _certificates(path: Path) -> Iterator[Cert]:
    try:
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix in _KEY_SUFFIXES and file.is_file())
        if len(files) > MAX_KEY_FILES:
            raise _unusable(path, f"it has more than {MAX_KEY_FILES} files of certificates")
        for file in files:
            with file.open("rb") as opened:
                data = opened.read(MAX_KEY_FILE_BYTES + 1)
            if len(data) > MAX_KEY_FILE_BYTES:
                raise _unusable(file, f"it has more than {MAX_KEY_FILE_BYTES} bytes")
            yield from _split(data, file)
    except OSError as error:
        raise _unusable(path, os.strerror(error.errno or 0)) from error


def _split(data: bytes, file: Path) -> list[Cert]:
    try:
        return Cert.split_bytes(data)
    except RuntimeError as error:
        first_line = str(error).partition("\n")[0]  # a backtrace follows it
        raise _unusable(file, f"it is not a file of OpenPGP certificates ({first_line})") from error


def _unusable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"The OpenPGP certificates in {path} cannot be used: {why}. Mend it, or change ISOBAY_SIGNING_KEYS.",
        public="The OpenPGP certificates of ISOBAY_SIGNING_KEYS cannot be used. Ask whoever runs isobay: its log says "
        "why.",
        option="signing_keys",
    )
