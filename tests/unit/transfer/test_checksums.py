"""What is a checksum, and what of a checksum file is the image's."""

from __future__ import annotations

import hashlib
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobay.errors import ChecksumError
from isobay.model.new_iso import Checksum as ChecksumField
from isobay.transfer.checksums import HEX_DIGITS, Checksum, parse_checksum
from isobay.transfer.sums_file import MAX_SUMS_BYTES, find_checksum

PATTERN = get_args(ChecksumField)[1].pattern
ALGORITHMS = list(HEX_DIGITS)
NAME = "debian-12.5.0-amd64-netinst.iso"


def digest_of(content: str, algorithm: str = "sha256") -> str:
    """The hex digits of some content."""
    return hashlib.new(algorithm, content.encode()).hexdigest()


WANTED = digest_of("wanted")
OTHER = digest_of("other")


@given(st.from_regex(PATTERN).filter(str.strip))
def test_what_the_request_takes_can_be_parsed(text: str) -> None:
    """Every text that the API's pattern admits has an algorithm, and as many digits as that algorithm gives."""
    checksum = parse_checksum(text)
    assert len(checksum.hexdigest) == HEX_DIGITS[checksum.algorithm]
    assert text.strip().lower().endswith(checksum.hexdigest)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_is_known_by_all_its_names(algorithm: str) -> None:
    """A name before a colon or in braces, with a hyphen or without, in any case, or none: the same checksum."""
    digits = digest_of("wanted", algorithm)
    hyphened = algorithm.upper().replace("SHA", "SHA-")
    forms = [digits, digits.upper(), f"{algorithm}:{digits}", f"{hyphened}:{digits}", f"{{{hyphened}}}{digits}"]
    assert {parse_checksum(form) for form in forms} == {Checksum(algorithm, digits)}


@pytest.mark.parametrize(
    "text",
    ["", "sha256", "sha256:", "sha256:abc", f"md5:{WANTED}", f"sha3-256:{WANTED}", f"s-ha256:{WANTED}", "x" * 64],
)
def test_what_is_no_checksum_is_refused(text: str) -> None:
    """An unknown algorithm, digits too few or too many for it, or no digits at all: an error that shows the text."""
    with pytest.raises(ChecksumError, match="is no checksum") as caught:
        parse_checksum(text)
    assert repr(text) in caught.value.message


def test_a_long_text_is_cut_in_the_error() -> None:
    """An error never repeats more than a line of what was sent."""
    with pytest.raises(ChecksumError) as caught:
        parse_checksum("z" * 100_000)
    assert len(caught.value.message) < 500


def test_bytes_are_proved_by_their_digest() -> None:
    """The digest of the promised bytes matches in either case, that of others does not."""
    checksum = parse_checksum(f"SHA-256:{WANTED.upper()}")
    assert checksum.matches(WANTED)
    assert checksum.matches(WANTED.upper())
    assert not checksum.matches(OTHER)


FEDORA = f"""-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

# Fedora-Everything-netinst-x86_64-40-1.14.iso: 812255232 bytes
SHA256 (Fedora-Everything-netinst-x86_64-40-1.14.iso) = {OTHER}
# {NAME}: 2295853056 bytes
SHA256 ({NAME}) = {WANTED}
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEEEV35rvhXhT7oRF0KBydwfqFbecwFAmYUXQAACgkQBydwfqFb
-----END PGP SIGNATURE-----
"""
GENTOO = f"""# BLAKE2B HASH
{digest_of("wanted", "blake2b")}  {NAME}
# SHA512 HASH
{digest_of("wanted", "sha512")}  {NAME}
# BLAKE2B HASH
{digest_of("other", "blake2b")}  {NAME}.CONTENTS.gz
# SHA512 HASH
{digest_of("other", "sha512")}  {NAME}.CONTENTS.gz
"""


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("Debian", f"{OTHER}  debian-12.5.0-amd64-DVD-1.iso\n{WANTED}  {NAME}\n"),
        ("Ubuntu", f"{OTHER} *ubuntu-24.04-desktop-amd64.iso\n{WANTED} *{NAME}\n"),
        ("Ubuntu's installer", f"{OTHER}  ./cdrom/initrd.gz\n{WANTED}  ./netboot/{NAME}\n"),
        ("Arch", f"{WANTED}  {NAME}\n{OTHER}  archlinux-bootstrap-x86_64.tar.zst\n"),
        ("FreeBSD", f"SHA256 (FreeBSD-14.1-RELEASE-amd64-bootonly.iso) = {OTHER}\nSHA256 ({NAME}) = {WANTED}\n"),
        ("Fedora", FEDORA),
        ("signify", f"untrusted comment: verify with base.pub\nRWQ\nSHA256 ({NAME}) = {WANTED}\n"),
        ("openssl", f"SHA256({NAME})= {WANTED}\nSHA256(b)= {OTHER}\n"),
        ("Alpine", f"{WANTED}  {NAME}\n"),
        ("digits alone", WANTED),
        ("digits alone, in capitals, ended as on Windows", f"{WANTED.upper()}\r\n"),
        ("a byte order mark and CRLF", f"\ufeff{WANTED}  {NAME}\r\n{OTHER}  b.iso\r\n"),
        ("a line twice", f"{WANTED}  {NAME}\n{WANTED}  ./{NAME}\n"),
        ("the weaker first", f"{digest_of('wanted', 'md5')}  {NAME}\n{WANTED}  {NAME}\nSHA1 ({NAME}) = {'1' * 40}\n"),
        ("an unknown algorithm beside", f"BLAKE2s ({NAME}) = {OTHER}\nSHA256 ({NAME}) = {WANTED}\n"),
    ],
)
def test_the_checksum_is_found_in(form: str, text: str) -> None:
    """Each publisher's form of a checksum file gives the one checksum that it promises of the image."""
    assert find_checksum(text.encode(), NAME) == Checksum("sha256", WANTED), form


def test_a_file_named_after_the_image_may_name_another() -> None:
    """openSUSE's image.iso.sha256 names the build that image.iso is a link to; any other file has to name the image."""
    text = f"{WANTED}  openSUSE-Leap-15.6-DVD-x86_64-Build710.3-Media.iso\n".encode()
    assert find_checksum(text, NAME, f"{NAME}.sha256") == Checksum("sha256", WANTED)
    for other in ("", "SHA256SUMS", f"x{NAME}.sha256", NAME):
        with pytest.raises(ChecksumError, match="does not list"):
            find_checksum(text, NAME, other)


def test_gentoos_headings_name_the_algorithm() -> None:
    """BLAKE2b has as many digits as SHA-512; the heading over the lines tells the two apart."""
    assert find_checksum(GENTOO.encode(), NAME) == Checksum("sha512", digest_of("wanted", "sha512"))


@pytest.mark.parametrize("options", [[], ["--binary"], ["--tag"]], ids=["text", "binary", "tagged"])
@pytest.mark.parametrize("name", ["plain.iso", "with space (1).iso", "back\\slash\nline.iso", "ünï.iso"])
@pytest.mark.parametrize("program", ["md5sum", "sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum"])
def test_coreutils_own_output_is_read(tmp_path: Path, program: str, name: str, options: list[str]) -> None:
    """What GNU coreutils print is found again, for every algorithm, form and name, however it is escaped."""
    (tmp_path / name).write_text("wanted")
    (tmp_path / "b.iso").write_text("other")
    printed = subprocess.run([program, *options, name, "b.iso"], cwd=tmp_path, capture_output=True, check=True).stdout
    algorithm = program.removesuffix("sum")
    assert find_checksum(printed, name) == Checksum(algorithm, digest_of("wanted", algorithm))


def test_an_image_that_is_not_listed_is_named_beside_what_is() -> None:
    """The error says what was looked for and the first few of what is there, however many and long they are."""
    text = "".join(f"{OTHER}  {'n' * 500}{number}.iso\n" for number in range(1000))
    with pytest.raises(ChecksumError, match="does not list 'debian") as caught:
        find_checksum(text.encode(), NAME)
    assert "and 995 more" in caught.value.message
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(
    "data", [b"", b"<html><body>Not found</body></html>", bytes(range(256)) * 50, f"{OTHER}\n{WANTED}\n".encode()]
)
def test_a_file_without_names_is_refused(data: bytes) -> None:
    """A page, binary bytes or digits of several unnamed files promise nothing of the image."""
    with pytest.raises(ChecksumError, match="no line that names a file"):
        find_checksum(data, NAME)


def test_contradicting_lines_are_refused() -> None:
    """Two images of one name in two directories: which one is meant cannot be known."""
    with pytest.raises(ChecksumError, match=r"lists 'mini\.iso' 2 times"):
        find_checksum(f"{WANTED}  ./amd64/mini.iso\n{OTHER}  ./i386/mini.iso\n".encode(), "mini.iso")


def test_a_file_too_large_is_refused() -> None:
    """Nothing is read from a file larger than any checksum file."""
    whole = f"{WANTED}  {NAME}\n".encode().ljust(MAX_SUMS_BYTES, b"\n")
    assert find_checksum(whole, NAME).hexdigest == WANTED
    with pytest.raises(ChecksumError, match="more than 1048576 bytes"):
        find_checksum(whole + b"\n", NAME)


@given(st.binary(max_size=400) | st.text(alphabet="\\SHA256 ()=ab\n#*.", max_size=200).map(str.encode))
def test_no_bytes_bring_another_error(data: bytes) -> None:
    """Whatever the file holds, the answer is a checksum or a ChecksumError."""
    with suppress(ChecksumError):
        assert isinstance(find_checksum(data, NAME), Checksum)
