"""Names that somebody chose to do harm with."""

from __future__ import annotations

import pytest
from sender import UPLOADS, VERSION, Sender, metadata

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
    ".iso": ".iso",
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
    answer = sender.ask("POST", **_creation(5, name=name))
    assert answer.status_code == 400
    assert list(answer.json()["errors"][0]["context"]["fields"]) == ["name"]
    assert sender.service.get(ISOS) == []


@pytest.mark.parametrize("filename", ["", "../", "x" * 4097, b"\xff"], ids=range(4))
def test_a_file_name_that_names_nothing_is_refused(sender: Sender, filename: str | bytes):
    """400."""
    assert sender.ask("POST", **_creation(5, filename=filename)).status_code == 400
    assert sender.service.get(ISOS) == []


def _creation(length: int, **said: str | bytes) -> dict[str, str]:
    return {**VERSION, "Upload-Length": str(length), **metadata(**said)}
