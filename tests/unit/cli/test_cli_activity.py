"""``isobay activity``."""

from __future__ import annotations

import pytest
from command_line import CommandLine


def _asked(run: CommandLine, *words: str) -> list[tuple[str, str]]:
    return [(entry["operation"], entry["objectName"]) for entry in run.json("activity", *words)]


@pytest.fixture
def busy(shelf: CommandLine) -> CommandLine:
    """Run over the shelf after some changes: three in it, and two to another environment."""
    for words in (
        ("environments", "create", "lab"),
        ("isos", "edit", "ipxe", "--public"),
        ("isos", "delete", "ipxe", "--yes"),
        ("environments", "edit", "lab", "--description", "for trials"),
    ):
        assert shelf(*words).returncode == 0
    return shelf


ADDED = [("iso.add", name) for name in ("grub-rescue-cdrom", "ipxe", "memtest86+x64")]


def test_what_was_done_is_told_newest_first(busy: CommandLine) -> None:
    """All of it, or what is of an environment, an operation, an object or a result."""
    deleted, edited = ("iso.delete", "ipxe"), ("iso.edit", "ipxe")
    lab = [("environment.edit", "lab"), ("environment.create", "lab")]
    assert _asked(busy) == [lab[0], deleted, edited, lab[1], *ADDED]
    assert _asked(busy, "-e", "lab") == lab
    assert _asked(busy, "-e", "test_area", "--operation", "iso.edit") == [edited]
    object_id = busy.json("activity", "--operation", "iso.delete")[0]["objectId"]
    assert _asked(busy, "--filter", f"objectId={object_id}") == [deleted, edited, ADDED[1]]
    assert _asked(busy, "--filter", "result=2013") == []


def test_it_is_cut_by_time_and_number(busy: CommandLine) -> None:
    """The first moment is within, the last is not; how many there are beyond the limit is said."""
    times = {entry["operation"]: entry["created"] for entry in busy.json("activity")}
    span = ("--since", times["iso.edit"], "--until", times["environment.edit"])
    assert _asked(busy, *span) == [("iso.delete", "ipxe"), ("iso.edit", "ipxe")]
    assert _asked(busy, "--since", "2999-01-01") == []
    assert len(_asked(busy, "--since", times["iso.edit"][:10])) == 7
    done = busy("activity", "--limit", "2")
    assert (len(done.stdout.splitlines()), done.stderr) == (2, "These are the newest 2 of 7.\n")


def test_a_line_says_when_what_who_where_and_of_which(busy: CommandLine) -> None:
    """Environments by their names, ids whole in a pipe; on a terminal there is a table."""
    entry = busy.json("activity", "--operation", "iso.edit")[0]
    columns = busy("activity", "--operation", "iso.edit").stdout.rstrip("\n").split("\t")
    words = ["iso.edit", "SUCCESS", "operator", "test_area", entry["objectId"], "ipxe", ""]
    assert columns == [entry["created"], *words]
    _, shown = busy.on_terminal("activity", "--operation", "iso.edit")
    assert ("Operation" in shown, entry["objectId"][:8] in shown, entry["objectId"] in shown) == (True, True, False)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--since", "yesterday"), 1, "since: must be a day or a moment"),
        (("--until", "0001-01-01T00:00:00+02:00"), 1, "until: must be a day or a moment"),
        (("-e", "nowhere"), 3, "'nowhere'"),
        (("--filter", "address=x"), 1, "keyId"),
        (("--limit", "0"), 2, "--limit"),
    ],
    ids=["no moment", "before time", "no environment", "no field", "nothing"],
)
def test_what_cannot_be_asked_is_refused(filled: CommandLine, words: tuple[str, ...], code: int, said: str) -> None:
    """With what there is instead."""
    done = filled("activity", *words)
    assert (done.returncode, done.stdout, said in done.stderr) == (code, "", True)
