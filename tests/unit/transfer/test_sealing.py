"""What is sealed can be opened with the same secret alone, and the secret is made once."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobay.errors import SettingsError
from isobay.transfer.sealing import KEY_FILE, Seal, load_seal

TEXT = "https://alice:hunter2@images.example/x.iso"
SECRET = "correct horse battery staple"  # noqa: S105 -- a secret of the tests alone
PROCESSES = 8
# Each says that it is ready and waits, so that all come to the empty directory at the same time.
STARTER = """
import sys
from pathlib import Path
from isobay.transfer.sealing import load_seal
print("ready", flush=True)
sys.stdin.readline()
print(load_seal("", Path(sys.argv[1])).seal("same"))
"""


@given(st.text(max_size=300), st.text(min_size=1, max_size=256))
def test_what_was_sealed_can_be_opened(text: str, secret: str) -> None:
    """Any text comes back with the same secret, from another seal as after a restart, and is not to be seen sealed."""
    token = Seal(secret).seal(text)
    assert Seal(secret).open(token) == text
    assert len(text) < 8 or text not in token


def test_the_same_text_is_sealed_differently_each_time() -> None:
    """Two tokens do not tell that their texts are equal."""
    seal = Seal(SECRET)
    assert seal.seal(TEXT) != seal.seal(TEXT)


def test_another_secret_does_not_open_it() -> None:
    """With another secret, or a changed token, there is an error that says what to do and shows nothing secret."""
    token = Seal(SECRET).seal(TEXT)
    changed = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
    for seal, broken in ((Seal("another"), token), (Seal(SECRET), changed), (Seal(SECRET), ""), (Seal(SECRET), "é")):
        with pytest.raises(SettingsError, match="Bring back the former ISOBAY_SECRET_KEY") as caught:
            seal.open(broken)
        assert "hunter2" not in caught.value.message
        assert SECRET not in caught.value.message


def test_a_given_secret_needs_no_file(tmp_path: Path) -> None:
    """With ISOBAY_SECRET_KEY nothing is written, and servers with other directories open each other's seals."""
    token = load_seal(SECRET, tmp_path / "a").seal(TEXT)
    assert load_seal(SECRET, tmp_path / "b").open(token) == TEXT
    assert list(tmp_path.iterdir()) == []


def test_a_random_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """Without a secret one is made in a directory that is made too, with mode 0600 under any umask, and kept."""
    data_dir = tmp_path / "new" / "data"
    before = os.umask(0)
    try:
        token = load_seal("", data_dir).seal(TEXT)
    finally:
        os.umask(before)
    assert [path.name for path in data_dir.iterdir()] == [KEY_FILE]
    status = (data_dir / KEY_FILE).stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert load_seal("", data_dir).open(token) == TEXT
    assert (data_dir / KEY_FILE).stat().st_mtime_ns == status.st_mtime_ns
    with pytest.raises(SettingsError):
        load_seal("", tmp_path / "other").open(token)


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    """Of many processes that find no secret, all take the same one, and no other file stays."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    tokens = [process.communicate(timeout=60)[0].strip() for process in started]
    assert [load_seal("", tmp_path).open(token) for token in tokens] == ["same"] * PROCESSES
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 40])
def test_a_damaged_secret_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A file that holds no secret is an error: a new secret would make all that was sealed unreadable."""
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(SettingsError, match="is damaged"):
        load_seal("", tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == content


def test_a_place_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """Where the file cannot be made or read, the error names it and the option that goes without."""
    (tmp_path / "file").touch()
    (tmp_path / KEY_FILE).mkdir()
    for data_dir in (tmp_path / "file", tmp_path):
        with pytest.raises(SettingsError, match="or set ISOBAY_SECRET_KEY") as caught:
            load_seal("", data_dir)
        assert str(data_dir / KEY_FILE) in caught.value.message
