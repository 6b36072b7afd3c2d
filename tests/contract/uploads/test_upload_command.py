"""``isobay upload``: cut, killed, begun again, and honest about what it cannot do."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cutting import cutting
from sender import UPLOADS, Sender

from processes import until
from service import KEY, environment, serving

ISOS = UPLOADS.replace("uploads", "isos")
MIB = 1 << 20


def _command(url: str, path: Path, *arguments: str, key: str = KEY) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "isobay", "upload", str(path), "--url", url, *arguments]
    return subprocess.Popen(
        command, env=environment(ISOBAY_KEY=key), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _run(url: str, path: Path, *arguments: str, key: str = KEY) -> tuple[int, str, str]:
    with _command(url, path, *arguments, key=key) as process:
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


@pytest.fixture(scope="session")
def large_file(large: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the large image as a file with a difficult name."""
    path = tmp_path_factory.mktemp("files") / "a large, “quoted” one.iso"
    path.write_bytes(large)
    return path


def test_a_file_is_uploaded(sender: Sender, small: bytes, small_file: Path):
    """With what is said of it; the answer is the ISO."""
    said = ("--name", "Debian 14", "--description", "netinst", "--extractable", "--public", "--json")
    code, out, err = _run(sender.service.address, small_file, *said)
    assert (code, err) == (0, "")
    iso = json.loads(out)
    assert (iso["name"], iso["description"], iso["extractable"]) == ("Debian 14", "netinst", True)
    assert (iso["availablePublicly"], iso["ready"]) == (True, True)
    assert iso["checksums"]["sha256"] == hashlib.sha256(small).hexdigest()
    assert sender.stored(iso["id"]) == small


def test_it_goes_on_by_itself_after_cuts(sender: Sender, large: bytes, large_file: Path):
    """A connection that is cut again and again costs time, and no byte goes over it twice but those that were lost."""
    with cutting(sender.service.address, every=5 * MIB, most=4) as between:
        code, out, err = _run(between.address, large_file)
    assert (code, between.cuts) == (0, 4), err
    assert err.count("Trying again") == 4
    columns = out.rstrip("\n").split("\t")
    assert columns[1] == "a large, “quoted” one"
    assert sender.stored(columns[0]) == large
    assert len(sender.service.get(ISOS)) == 1
    assert between.sent < len(large) + 4 * 4 * MIB


def test_it_goes_on_where_another_run_was_killed(sender: Sender, large: bytes, large_file: Path):
    """The upload is found again by what the image is, not by what the file is called."""
    with (
        cutting(sender.service.address, stop_after=10 * MIB) as between,
        _command(between.address, large_file) as process,
    ):
        assert until(lambda: between.stopped)
        process.kill()
    assert until(lambda: [iso["status"] for iso in sender.service.get(ISOS)] == ["uploading"])
    (begun,) = sender.service.get(ISOS)
    other = large_file.with_name("other.iso")
    other.write_bytes(large)
    with cutting(sender.service.address) as between:
        code, out, err = _run(between.address, other)
    assert code == 0, err
    assert out.split("\t")[:2] == [begun["id"], "a large, “quoted” one"]
    assert sender.stored(begun["id"]) == large
    assert between.sent < len(large) - 4 * MIB


def test_refusals_are_told_in_the_service_s_words(sender: Sender, small_file: Path, tmp_path: Path):
    """A key that is not known, an environment that is not there, no ISO, and no service."""
    address = sender.service.address
    page = tmp_path / "page.iso"
    page.write_bytes(b"<html>" + bytes(3 * MIB))
    for arguments, code, said in (
        ((address, small_file, "-e", "nowhere"), 3, "There is no environment 'nowhere'"),
        ((address, page), 1, "not an ISO image"),
        ((address, tmp_path / "missing.iso"), 3, "No such file"),
        (("http://127.0.0.1:9", small_file), 1, "127.0.0.1"),
        (("ftp://x", small_file), 1, "http"),
        ((sender.service.address + "/docs", small_file), 3, "no endpoint"),
    ):
        ended, out, err = _run(*arguments)
        assert (ended, out) == (code, ""), err
        assert said in err
        assert err.count("\n") == 1
    ended, _, err = _run(address, small_file, key="wrong")
    assert (ended, "not known" in err) == (1, True)
    assert sender.service.get(ISOS) == []


def test_a_limit_of_requests_is_waited_for(tmp_path: Path, small: bytes, small_file: Path):
    """429 at any request, the first one too, ends no upload: the command goes on when its turn comes."""
    with serving(tmp_path / "data", ISOBAY_REQUESTS_PER_MINUTE_ADDRESS="30") as service:
        sender = Sender(service)
        while service.client().get(ISOS).status_code != 429:
            pass
        code, out, err = _run(service.address, small_file)
        assert code == 0, err
        assert "Going on in " in err
        assert sender.stored(out.split("\t")[0]) == small
