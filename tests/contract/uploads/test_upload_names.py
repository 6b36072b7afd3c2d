"""Names that somebody chose to do harm with."""

from __future__ import annotations

from pathlib import Path

import pytest
from sender import LEAST, UPLOADS, VERSION, Sender, metadata

from isobay.errors import InvalidFieldsError

ISOS = UPLOADS.replace("uploads", "isos")
HOSTILE = {
    "../../../etc/passwd": "passwd",
    "..\\..\\windows\\system.iso": "system",
    "a\0b.iso": "a\ufffdb",
    "a\r\nX-Evil: 1.iso": "a\ufffd\ufffdX-Evil: 1",
    "\"quotes\" 'and' `ticks`.iso": "\"quotes\" 'and' `ticks`",
    "\u202egnp.iso": "\ufffdgnp",
    "\u200fmarks\u200e": "\ufffdmarks\ufffd",
    "x" * 4096: "x" * 255,
    "é" * 2048: "é" * 255,
    ".hidden.iso": ".hidden",
    "...a.iso": "...a",
    "<script>.ISO": "<script>",
}


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_name_is_made_harmless(sender: Sender, small: bytes, name: str):
    """It names the ISO and nothing else: the files on the disk have ids of ours, and the answer no header of theirs."""
    answer = sender.ask("POST", **_creation(len(small), filename=name, filetype="\0", other="\xff"))
    assert answer.status_code == 201, answer.text
    assert "x-evil" not in answer.headers
    upload = answer.headers["location"]
    assert sender.iso(upload)["name"] == HOSTILE[name]
    assert sender.send(upload, 0, small).status_code == 204
    assert sender.iso(upload)["name"] == HOSTILE[name]
    stored = [path for path in sender.service.behind.settings.objects_dir.rglob("*") if path.is_file()]
    assert len(stored) == 1
    assert sender.stored(upload) == small


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "x" * 256, b"\xff\xfe"], ids=range(5))
def test_a_name_that_no_iso_can_have_is_refused(sender: Sender, name: str | bytes):
    """What is said to be the ISO's name is taken as it is, or not at all."""
    answer = sender.ask("POST", **_creation(LEAST, name=name))
    assert answer.status_code == 400
    assert list(answer.json()["errors"][0]["context"]["fields"]) == ["name"]
    assert sender.service.get(ISOS) == []


@pytest.mark.parametrize("filename", ["", "../", "..", ".iso", "x/.ISO", ". . .iso", "x" * 4097, b"\xff"], ids=range(8))
def test_a_file_name_that_names_nothing_is_refused(sender: Sender, filename: str | bytes):
    """400, unless the ISO's name is said."""
    assert sender.ask("POST", **_creation(LEAST, filename=filename)).status_code == 400
    assert sender.service.get(ISOS) == []
    if isinstance(filename, str) and len(filename) <= 4096:
        assert sender.ask("POST", **_creation(LEAST, filename=filename, name="named")).status_code == 201


def test_a_file_without_a_name_is_not_added(sender: Sender, small: bytes, tmp_path: Path):
    """The operator's files are named by the same rule."""
    path = tmp_path / ".iso"
    path.write_bytes(small)
    with pytest.raises(InvalidFieldsError, match="name"):
        sender.service.add(path)
    assert sender.service.add(path, "named")["name"] == "named"


@pytest.mark.parametrize("file_name", [".iso", "%2e%2e", "%20.iso"])
def test_a_plain_upload_needs_a_name_too(sender: Sender, small: bytes, file_name: str):
    """The last part of the path, if it is one, or the query's."""
    with sender.sending(f"{UPLOADS}/{file_name}", 0, len(small), "PUT") as connection:
        assert connection.recv(12) == b"HTTP/1.1 400"
    assert sender.service.get(ISOS) == []
    answer = sender.ask("PUT", f"{UPLOADS}/.iso?name=named", content=small)
    assert (answer.status_code, answer.json()["data"]["name"]) == (201, "named")


def _creation(length: int, **said: str | bytes) -> dict[str, str]:
    return {**VERSION, "Upload-Length": str(length), **metadata(**said)}
