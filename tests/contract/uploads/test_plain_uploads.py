"""A whole image in one request, as curl sends it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from sender import MAX_ISO_BYTES, UPLOADS, Sender

from processes import until
from servers import leave_out
from service import KEY

ISOS = UPLOADS.replace("uploads", "isos")


@pytest.fixture(scope="module")
def curl() -> str:
    """Find curl."""
    return shutil.which("curl") or leave_out("curl is not installed: install Debian's package curl")


def _put(curl: str, sender: Sender, source: str | Path, path: str, *options: str, **given) -> tuple[int, dict]:
    url = f"{sender.service.address}{UPLOADS}/{path}"
    command = [curl, "-sS", "-w", "\n%{http_code}", "-H", f"MC-Api-Key: {KEY}", *options, "-T", str(source), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, **given)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def test_curl_uploads_a_file(sender: Sender, small: bytes, small_file: Path, curl: str):
    """Its name comes from the file; the answer is the ISO, ready."""
    status, answer = _put(curl, sender, small_file, "")
    iso = answer["data"]
    assert (status, iso["name"], iso["ready"], iso["osVersion"]) == (201, "debian", True, "14")
    assert iso["checksums"]["sha256"] == hashlib.sha256(small).hexdigest()
    assert sender.stored(iso["id"]) == small


def test_curl_uploads_what_it_reads_from_a_pipe(sender: Sender, small: bytes, small_file: Path, curl: str):
    """No length is known before the end; the query says the rest."""
    query = f"any.iso?name=Piped&description=from%20a%20pipe&checksum={hashlib.sha384(small).hexdigest()}"
    with small_file.open("rb") as source:
        status, answer = _put(curl, sender, "-", query, stdin=source)
    assert (status, answer["data"]["name"], answer["data"]["description"]) == (201, "Piped", "from a pipe")
    assert answer["data"]["size"] == len(small)
    assert sender.stored(answer["data"]["id"]) == small


@pytest.mark.parametrize("from_pipe", [False, True])
def test_what_is_no_iso_is_refused_at_its_beginning(sender: Sender, tmp_path: Path, curl: str, from_pipe: bool):
    """400, and nothing is left."""
    page = tmp_path / "page.iso"
    page.write_bytes(b"<html>" + bytes(20 << 20))
    with page.open("rb") as source:
        status, answer = _put(curl, sender, "-" if from_pipe else page, "page.iso", stdin=source)
    assert (status, answer["errors"][0]["code"]) == (400, 2101)
    assert sender.service.get(ISOS) == []


def test_another_checksum_is_refused(sender: Sender, small_file: Path, curl: str):
    """400, and it never was an ISO that is ready."""
    status, answer = _put(curl, sender, small_file, f"?checksum=sha256:{'0' * 64}".replace("?", "debian.iso?"))
    assert (status, answer["errors"][0]["code"]) == (400, 2106)
    assert sender.service.get(ISOS) == []


def test_nothing_is_kept_of_a_body_that_breaks_off(sender: Sender, small: bytes):
    """With a length that was said, or without."""
    for framing in ({"Content-Length": str(len(small))}, {"Transfer-Encoding": "chunked"}):
        with sender.sending(f"{UPLOADS}/cut.iso", 0, 0, method="PUT", **framing) as connection:
            data = small[: 2 << 20]
            connection.sendall(data if "Content-Length" in framing else b"%x\r\n%b\r\n" % (len(data), data))
            assert until(lambda: sender.service.get(ISOS))
        assert until(lambda: sender.service.get(ISOS) == [])


def test_a_refusal_comes_before_the_bytes(sender: Sender, tmp_path: Path, curl: str):
    """Who asks with Expect: 100-continue sends none of them."""
    large = tmp_path / "large.iso"
    with large.open("wb") as file:
        file.truncate(MAX_ISO_BYTES + 1)
    output = tmp_path / "answer"
    url = f"{sender.service.address}{UPLOADS}/"
    command = [curl, "-sS", "-o", output, "-w", "%{http_code} %{size_upload}", "--expect100-timeout", "20"]
    done = subprocess.run([*command, "-H", f"MC-Api-Key: {KEY}", "-T", large, url], capture_output=True, text=True)
    assert done.stdout == "413 0", done
    assert json.loads(output.read_text())["errors"][0]["code"] == 4003
    command[-1] = "1"
    done = subprocess.run([*command, "-H", "MC-Api-Key: wrong", "-T", large, url], capture_output=True, text=True)
    assert done.stdout == "401 0", done


def test_a_pipe_may_not_bring_more_than_an_image_may_have(sender: Sender, small: bytes, tmp_path: Path, curl: str):
    """413 where the limit is passed, and nothing is left."""
    large = tmp_path / "large.iso"
    large.write_bytes(small)
    with large.open("r+b") as file:
        file.truncate(MAX_ISO_BYTES + 1)
    with large.open("rb") as source:
        status, answer = _put(curl, sender, "-", "large.iso", stdin=source)
    assert (status, answer["errors"][0]["code"]) == (413, 4003)
    assert sender.service.get(ISOS) == []


@pytest.mark.parametrize("query", ["a=b", "checksum=12", "name=%00"])
def test_bad_parameters_are_named(sender: Sender, small_file: Path, curl: str, query: str):
    """400, before any byte."""
    status, answer = _put(curl, sender, small_file, f"x.iso?{query}")
    assert (status, answer["errors"][0]["code"]) == (400, 2001)
    assert list(answer["errors"][0]["context"]["fields"]) == [query.partition("=")[0]]


def test_a_url_without_the_name_of_a_file_says_so(sender: Sender, small_file: Path, curl: str):
    """404 in words: curl adds no name to what it reads from a pipe."""
    with small_file.open("rb") as source:
        status, answer = _put(curl, sender, "-", "", stdin=source)
    assert status == 404
    assert "name of the file is missing" in answer["errors"][0]["message"]
    assert sender.service.get(ISOS) == []


def test_an_image_is_described_the_same_from_wherever_it_came(sender: Sender, small: bytes, small_file: Path):
    """By what it is, where nobody said anything else: put, sent in pieces, or added by the operator."""
    put = sender.ask("PUT", f"{UPLOADS}/a.iso", content=small).json()["data"]
    sent = sender.iso(sender.begin(len(small), content=small).headers["location"])
    added = sender.service.add(small_file)
    assert put["description"] == sent["description"] == added["description"] != ""
    said = sender.iso(sender.begin(len(small), content=small, description="ours").headers["location"])
    assert said["description"] == "ours"


def test_an_empty_body_is_refused(sender: Sender):
    """400; there is no empty image."""
    assert sender.ask("PUT", f"{UPLOADS}/x.iso").status_code == 400
    assert sender.ask("PUT", f"{UPLOADS}/x.iso", content=iter([])).status_code == 400
    assert sender.service.get(ISOS) == []
