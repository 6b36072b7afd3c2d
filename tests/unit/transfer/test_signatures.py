"""Only what a known and valid key signed is believed of a checksum file. The signer is GnuPG."""

from __future__ import annotations

import bz2
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pysequoia import ArmorKind, armor

from isobay.errors import ChecksumError, SettingsError
from isobay.transfer.signatures import SigningKeys, load_signing_keys, verify_sums
from isobay.transfer.sums_file import find_checksum
from servers import leave_out

SUMS = b"".join(f"{digit * 64}  image-{digit}.iso\n".encode() for digit in "abc")
EVIL = b"f" * 64 + b"  image-a.iso\n"
IN_2020 = ("--faked-system-time", "20200201T000000")


class GnuPG:
    """A keyring of its own. ``certificate`` and ``sign`` give what gpg writes."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self.home = home
        self._environ = {**os.environ, "GNUPGHOME": str(home)}

    def run(self, *arguments: str, data: bytes = b"") -> bytes:
        """Run gpg without questions and give its output."""
        command = ["gpg", "--batch", "--quiet", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", *arguments]
        return subprocess.run(command, input=data, env=self._environ, capture_output=True, check=True).stdout

    def certificate(self, owner: str, *options: str) -> bytes:
        """Export a certificate."""
        return self.run(*options, "--export", owner)

    def sign(self, owners: str, *options: str, data: bytes = SUMS) -> bytes:
        """Sign, with one key or several separated by spaces."""
        return self.run(*(word for owner in owners.split() for word in ("-u", owner)), *options, data=data)

    def fingerprint(self, owner: str, number: int = 0) -> str:
        """The fingerprint of a primary key, or of a subkey by its number."""
        lines = self.run("--with-colons", "--list-keys", owner).decode().splitlines()
        return [line.split(":")[9].lower() for line in lines if line.startswith("fpr")][number]

    def stop(self) -> None:
        """End the agent that gpg started for this keyring."""
        subprocess.run(["gpgconf", "--kill", "all"], env=self._environ, check=True)


@pytest.fixture(scope="module")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GnuPG]:
    """GnuPG with the keys alice, bob, and old, which expired in 2021."""
    if not shutil.which("gpg"):
        leave_out("GnuPG is not installed: install Debian's package gnupg")
    gpg = GnuPG(tmp_path_factory.mktemp("gnupg") / "home")
    try:
        gpg.run("--quick-generate-key", "alice@example", "ed25519", "sign", "never")
        gpg.run("--quick-generate-key", "bob@example", "rsa2048", "sign", "never")
        gpg.run(
            "--faked-system-time", "20200101T000000", "--quick-generate-key", "old@example", "ed25519", "sign", "1y"
        )
        yield gpg
    finally:
        gpg.stop()


def keys_of(gpg: GnuPG, directory: Path, *owners: str) -> SigningKeys:
    """A directory with these owners' certificates, as an operator lays them there."""
    for owner in owners:
        (directory / f"{owner}.gpg").write_bytes(gpg.certificate(owner))
    return load_signing_keys(directory)


@pytest.mark.parametrize("options", [["--detach-sign"], ["--armor", "--detach-sign"]], ids=["binary", "armored"])
def test_a_detached_signature_is_proved(gpg: GnuPG, tmp_path: Path, options: list[str]) -> None:
    """A good signature beside the file gives the file and its signer; a changed file, or another's, is refused."""
    keys = keys_of(gpg, tmp_path, "alice", "bob")
    signature = gpg.sign("alice", *options)
    signed = verify_sums(SUMS, signature, keys)
    assert (signed.data, signed.signers) == (SUMS, [gpg.fingerprint("alice")])
    for changed in (SUMS.replace(b"a", b"f", 1), SUMS + b"\n", b""):
        with pytest.raises(ChecksumError, match="does not fit: the file or the signature was changed"):
            verify_sums(changed, signature, keys)


@pytest.mark.parametrize("options", [["--detach-sign"], ["--armor", "--detach-sign"]], ids=["binary", "armored"])
def test_of_several_signers_one_known_is_enough(gpg: GnuPG, tmp_path: Path, options: list[str]) -> None:
    """A publisher who changes keys signs with both; who knows either believes the file, and is told of those known."""
    signature = gpg.sign("bob alice", *options)
    for owner in ("alice", "bob"):
        directory = tmp_path / owner
        directory.mkdir()
        assert verify_sums(SUMS, signature, keys_of(gpg, directory, owner)).signers == [gpg.fingerprint(owner)]
    both = verify_sums(SUMS, signature, keys_of(gpg, tmp_path, "alice", "bob"))
    assert set(both.signers) == {gpg.fingerprint("alice"), gpg.fingerprint("bob")}


def test_a_changed_signature_is_refused(gpg: GnuPG, tmp_path: Path) -> None:
    """Each single changed byte of a signature makes it worthless; none brings another error."""
    keys = keys_of(gpg, tmp_path, "alice")
    signature = gpg.sign("alice", "--detach-sign")
    # The unhashed part names the issuer by its key id and proves nothing: RFC 9580, 5.2.3.
    hashed_end = 6 + int.from_bytes(signature[6:8], "big") + 2
    for place in [*range(hashed_end), *range(len(signature) - 64, len(signature))]:
        changed = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
        with pytest.raises(ChecksumError):
            verify_sums(SUMS, changed, keys)


@pytest.mark.parametrize("options", [["--detach-sign"], ["--clearsign"]], ids=["detached", "clear"])
def test_an_unknown_signer_is_named(gpg: GnuPG, tmp_path: Path, options: list[str]) -> None:
    """A good signature by a key that is not ours is refused, with the key and where to put its certificate."""
    keys = keys_of(gpg, tmp_path, "alice")
    signed = gpg.sign("bob", *options)
    detached = "--detach-sign" in options
    with pytest.raises(ChecksumError, match="in no certificate in") as caught:
        verify_sums(SUMS if detached else signed, signed if detached else None, keys)
    assert gpg.fingerprint("bob").upper() in caught.value.message
    assert str(tmp_path) in caught.value.message


def test_a_clear_signed_file_is_proved(gpg: GnuPG, tmp_path: Path) -> None:
    """A file that is signed around its text gives the text, also with CRLF and a second signer, and can be searched."""
    keys = keys_of(gpg, tmp_path, "alice")
    clear = gpg.sign("alice bob", "--clearsign")
    for form in (clear, clear.replace(b"\n", b"\r\n")):
        signed = verify_sums(form, None, keys)
        assert signed.data.split() == SUMS.split()
        assert signed.signers == [gpg.fingerprint("alice")]
        assert find_checksum(signed.data, "image-b.iso").hexdigest == "b" * 64
    with pytest.raises(ChecksumError, match="does not fit"):
        verify_sums(clear.replace(b"aaaa", b"ffff", 1), None, keys)


def test_what_stands_outside_the_signed_text_is_dropped(gpg: GnuPG, tmp_path: Path) -> None:
    """Lines smuggled before or after the message, or into its frame, never come out as signed."""
    keys = keys_of(gpg, tmp_path, "alice")
    clear = gpg.sign("alice", "--clearsign")
    armored = clear.index(b"-----BEGIN PGP SIGNATURE")
    for smuggled in (
        EVIL + clear,
        clear + EVIL,
        EVIL + b"\n" + clear + b"-----BEGIN PGP SIGNED MESSAGE-----\n\n" + EVIL,
        b"\xef\xbb\xbf" + EVIL + clear,
        b"-----BEGIN PGP SIGNATURE-----\n" + EVIL + clear,
    ):
        signed = verify_sums(smuggled, None, keys)
        assert find_checksum(signed.data, "image-a.iso").hexdigest == "a" * 64
        assert EVIL not in signed.data
    for refused in (
        clear.replace(b"\n\n", b"\n\n" + EVIL, 1),
        clear[:armored] + EVIL + clear[armored:],
        b"-----BEGIN PGP SIGNED MESSAGE-----\n\n" + EVIL + clear[armored:],
        b"-----BEGIN PGP SIGNED MESSAGE-----\n\n" + EVIL + clear,
        clear.replace(b"-----BEGIN PGP SIGNED", b"- -----BEGIN PGP SIGNED"),
    ):
        with pytest.raises(ChecksumError):
            verify_sums(refused, None, keys)


@pytest.mark.parametrize("options", [["--detach-sign"], ["--clearsign"]], ids=["detached", "clear"])
def test_a_key_that_expired_is_believed_no_longer(gpg: GnuPG, tmp_path: Path, options: list[str]) -> None:
    """A signature dated while the key was good does not help: the date is the signer's own word."""
    keys = keys_of(gpg, tmp_path, "old")
    signed = gpg.sign("old", *IN_2020, *options)
    detached = "--detach-sign" in options
    with pytest.raises(ChecksumError, match="certificate expired on 2020-12-31"):
        verify_sums(SUMS if detached else signed, signed if detached else None, keys)


def test_a_subkey_that_expired_is_believed_no_longer(gpg: GnuPG, tmp_path: Path) -> None:
    """A certificate that holds does not lend its name to a signing subkey that ended, until its owner prolongs it."""
    at_start = ("--faked-system-time", "20200101T000000")
    gpg.run(*at_start, "--quick-generate-key", "parts@example", "ed25519", "cert", "never")
    owner = gpg.fingerprint("parts")
    gpg.run(*at_start, "--quick-add-key", owner, "ed25519", "sign", "1y")
    signature = gpg.sign("parts", *IN_2020, "--detach-sign")
    with pytest.raises(ChecksumError, match="expired on 2020-12-31"):
        verify_sums(SUMS, signature, keys_of(gpg, tmp_path, "parts"))
    gpg.run("--quick-set-expire", owner, "10y", gpg.fingerprint(owner, 1))
    # gpg drops the first binding, without which nothing was signed in 2020: both states of the certificate count.
    (tmp_path / "prolonged.gpg").write_bytes(gpg.certificate("parts"))
    assert verify_sums(SUMS, signature, load_signing_keys(tmp_path)).signers == [owner]


def test_a_key_that_was_revoked_is_believed_no_longer(gpg: GnuPG, tmp_path: Path) -> None:
    """What a key signed is refused once its owner has revoked it."""
    gpg.run("--quick-generate-key", "gone@example", "ed25519", "sign", "never")
    signature = gpg.sign("gone", "--detach-sign")
    assert verify_sums(SUMS, signature, keys_of(gpg, tmp_path, "gone")).signers == [gpg.fingerprint("gone")]
    revocation = (gpg.home / "openpgp-revocs.d" / f"{gpg.fingerprint('gone').upper()}.rev").read_bytes()
    gpg.run("--import", data=revocation.replace(b":-----BEGIN", b"-----BEGIN"))
    with pytest.raises(ChecksumError, match="was revoked by its owner"):
        verify_sums(SUMS, signature, keys_of(gpg, tmp_path, "gone"))


def test_an_unsigned_file_is_refused(gpg: GnuPG, tmp_path: Path) -> None:
    """Where a signature is asked for, a plain file, and one whose frame is cut, are refused."""
    keys = keys_of(gpg, tmp_path, "alice")
    clear = gpg.sign("alice", "--clearsign")
    for unsigned in (SUMS, b"", clear[: clear.index(b"-----END")], gpg.sign("alice", "--sign")):
        with pytest.raises(ChecksumError, match="no OpenPGP signature around its text"):
            verify_sums(unsigned, None, keys)


def test_what_is_no_signature_is_refused(gpg: GnuPG, tmp_path: Path) -> None:
    """A page, a certificate, packed packets, and more signatures than anybody makes are refused unread."""
    keys = keys_of(gpg, tmp_path, "alice")
    signature = gpg.sign("alice", "--detach-sign")
    packed = b"\x03" + bz2.compress(bytes(1 << 20))
    bomb = b"\xc8\xff" + len(packed).to_bytes(4, "big") + packed
    no_signatures = [b"", b"<html>", gpg.certificate("alice"), bomb, signature + bomb, signature * 33]
    for no_signature in no_signatures:
        with pytest.raises(ChecksumError, match="is not an OpenPGP signature"):
            verify_sums(SUMS, no_signature, keys)
    with pytest.raises(ChecksumError, match="more than 262144 bytes"):
        verify_sums(SUMS, bytes(262145), keys)
    clear = gpg.sign("alice", "--clearsign")
    framed = clear[: clear.index(b"-----BEGIN PGP SIGNATURE")] + armor(bomb, ArmorKind.Signature).encode()
    with pytest.raises(ChecksumError, match="is not an OpenPGP signature"):
        verify_sums(framed, None, keys)


def test_certificates_are_read_from_a_file_or_a_directory(gpg: GnuPG, tmp_path: Path) -> None:
    """Several in a file, armored or binary, and several files of a directory are all believed; other files are not."""
    binary = gpg.certificate("alice") + gpg.certificate("bob")
    armored = gpg.certificate("alice", "--armor") + gpg.certificate("bob", "--armor")
    (tmp_path / "README").write_text("The publishers' keys.")
    assert len(load_signing_keys(tmp_path)) == 0
    for name, content in (("both.gpg", binary), ("both.asc", armored), ("again.pgp", binary)):
        (tmp_path / name).write_bytes(content)
        for keys in (load_signing_keys(tmp_path / name), load_signing_keys(tmp_path)):
            assert len(keys) == 2
            for owner in ("alice", "bob"):
                signed = verify_sums(SUMS, gpg.sign(owner, "--detach-sign"), keys)
                assert signed.signers == [gpg.fingerprint(owner)]


def test_debians_own_keyring_is_read() -> None:
    """The keyring that Debian's package installs is one file with many certificates, some of them expired."""
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not keyring.exists():
        leave_out("Debian's keyring is not installed: install its package debian-archive-keyring")
    assert len(load_signing_keys(keyring)) > 1


def test_without_certificates_nothing_is_believed(gpg: GnuPG, tmp_path: Path) -> None:
    """An empty directory of certificates is an error that says where to put one."""
    with pytest.raises(ChecksumError, match="no OpenPGP certificate in"):
        verify_sums(SUMS, gpg.sign("alice", "--detach-sign"), load_signing_keys(tmp_path))


def test_certificates_that_cannot_be_read_are_an_error(gpg: GnuPG, tmp_path: Path) -> None:
    """A missing path, a file of something else and a cut certificate name the file and the option."""
    (tmp_path / "page.asc").write_text("<html>")
    cut = tmp_path / "cut.gpg"
    cut.write_bytes(gpg.certificate("alice")[:-40])
    for path in (tmp_path / "missing", tmp_path / "page.asc", cut, tmp_path):
        with pytest.raises(SettingsError, match="cannot be used") as caught:
            load_signing_keys(path)
        assert str(path) in caught.value.message
        assert len(caught.value.message) < 400
        assert caught.value.context == {"option": "signing_keys"}
