"""What is said when the store in S3 cannot be used, and what is loaded when there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from isobay.errors import SettingsError, StorageError, UnavailableError
from isobay.objects import HeldFiles
from isobay.objects.s3 import S3Objects
from isobay.objects.s3_place import Place
from isobay.settings import Settings
from service import environment
from sources import CertificateAuthority


def _opened(options: dict[str, str], tmp_path) -> S3Objects:
    settings = Settings.load(options, data_dir=tmp_path)
    return S3Objects(Place.of(settings), HeldFiles(tmp_path / "held"), "the tests")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("OBJECTS_URL", "s3://there-is-none/x", "There is no bucket.*ISOBAY_OBJECTS_URL"),
        ("S3_ACCESS_KEY", "nobody", "does not take the key.*ISOBAY_S3_ACCESS_KEY"),
        ("S3_SECRET_KEY", "wrong", "does not take the key.*ISOBAY_S3_SECRET_KEY"),
    ],
)
def test_what_s3_refuses_is_said_at_the_start(s3, tmp_path, option, value, said):
    """With what to do, and without the secret."""
    options = {**s3.options(), f"ISOBAY_{option}": value}
    with pytest.raises(StorageError, match=said) as caught:
        _opened(options, tmp_path)
    assert options["ISOBAY_S3_SECRET_KEY"] not in caught.value.message


def test_a_key_without_the_rights_is_said(s3, tmp_path):
    """One that may look and not write is refused, with where the rights are listed: at the first start, and at use."""
    options = s3.options()
    for_reading = {**options, "ISOBAY_S3_ACCESS_KEY": s3.READER}
    with pytest.raises(StorageError, match=r"does not let this key.*docs/objects.md"):
        _opened(for_reading, tmp_path)
    _opened(options, tmp_path)
    objects = _opened(for_reading, tmp_path)
    with (
        pytest.raises(StorageError, match=r"does not let this key.*docs/objects.md"),
        objects.resume("00000000-0000-4000-8000-000000000000"),
    ):
        pass


def test_an_s3_that_is_not_there_is_said(s3, tmp_path, door):
    """As what may pass: nothing listens, or nothing is answered; the command says it and ends."""
    options = {**s3.options(), "ISOBAY_S3_ENDPOINT": door.endpoint}
    door.is_shut = True
    with pytest.raises(UnavailableError, match="does not answer"):
        _opened(options, tmp_path)
    ran = subprocess.run(
        [sys.executable, "-m", "isobay", "serve", "--port", "0", "--data-dir", str(tmp_path)],
        env=environment(**options),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode != 0
    assert "does not answer" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("OBJECTS_URL", "https://bucket/prefix"),
        ("OBJECTS_URL", "s3://"),
        ("OBJECTS_URL", "s3://Not_A_Bucket"),
        ("OBJECTS_URL", "s3://bucket/a?b"),
        ("OBJECTS_URL", "s3://user:password@bucket/"),
        ("OBJECTS_URL", "s3://bucket/a b"),
        ("S3_ENDPOINT", "s3.example.org"),
        ("S3_ENDPOINT", "https://user:password@s3.example.org"),
        ("S3_ENDPOINT", "https://s3.example.org/bucket"),
        ("S3_SECRET_KEY", ""),
        ("CA_FILE", "/there/is/none"),
    ],
)
def test_settings_that_cannot_be_are_named(tmp_path, option, value):
    """Before anything is asked of anybody, and without a password that stands in the wrong place."""
    good = {
        "ISOBAY_OBJECTS_URL": "s3://bucket/prefix",
        "ISOBAY_S3_ENDPOINT": "https://s3.example.org",
        "ISOBAY_S3_ACCESS_KEY": "key",
        "ISOBAY_S3_SECRET_KEY": "secret",
    }
    Place.of(Settings.load(good, data_dir=tmp_path))
    with pytest.raises(SettingsError, match=f"ISOBAY_{option}") as caught:
        Place.of(Settings.load({**good, f"ISOBAY_{option}": value}, data_dir=tmp_path))
    assert "password" not in caught.value.message


@pytest.mark.parametrize(
    ("most", "piece"),
    [(1, 8 << 20), (10_000 * (8 << 20), 8 << 20), (10_000 * (8 << 20) + 1, 9 << 20), (128 << 30, 14 << 20)],
    ids=["small", "just 8 MiB", "more than 8 MiB", "the default"],
)
def test_the_largest_image_is_ten_thousand_pieces(tmp_path, most, piece):
    """S3 takes no more, of whole MiB here; and none is smaller than 8 MiB."""
    options = {"ISOBAY_OBJECTS_URL": "s3://bucket", "ISOBAY_MAX_ISO_BYTES": str(most)}
    place = Place.of(Settings.load(options, data_dir=tmp_path))
    assert place.piece_bytes == piece
    assert place.piece_bytes * 10_000 >= most


def test_authorities_of_the_settings_are_trusted_beside_the_systems(tmp_path):
    """In one file, for boto3 takes no two."""
    authority = CertificateAuthority(tmp_path)
    options = {"ISOBAY_OBJECTS_URL": "s3://bucket", "ISOBAY_CA_FILE": str(authority.file)}
    alone = Place.of(Settings.load({"ISOBAY_OBJECTS_URL": "s3://bucket"}, data_dir=tmp_path)).authorities
    trusted = Path(Place.of(Settings.load(options, data_dir=tmp_path)).authorities).read_bytes()
    assert authority.file.read_bytes() in trusted
    assert not alone or Path(alone).read_bytes() in trusted


def test_tls_is_checked(s3, tmp_path):
    """A server whose authority nobody trusts is not used; with ISOBAY_CA_FILE it is."""
    options = {**s3.options(), "ISOBAY_S3_ENDPOINT": s3.secure_endpoint}
    with pytest.raises(UnavailableError, match="ISOBAY_CA_FILE"):
        _opened(options, tmp_path)
    objects = _opened({**options, "ISOBAY_CA_FILE": str(s3.authority.file)}, tmp_path)
    object_id = str(uuid4())
    with objects.resume(object_id) as part:
        part.append(b"over TLS")
        part.publish()
    assert objects.open(object_id).read_at(0, 8) == b"over TLS"


def test_boto3_is_loaded_for_s3_alone(tmp_path):
    """It takes as long as a quick command; with a disk nobody loads it."""
    code = (
        "import json, sys; from pathlib import Path; from isobay.app import build, web_application\n"
        "from isobay.settings import Settings\n"
        "built = build(Settings.load({}, data_dir=Path(sys.argv[1]))); web_application(built); built.catalog.close()\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('boto')]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment(), capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout) == []
