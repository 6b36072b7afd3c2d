"""``isobay isos``."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from command_line import SECONDS, CommandLine
from msgspec import structs

from isobay.model import IsoEdit


def _names(run: CommandLine, *arguments: str) -> list[str]:
    return [iso["name"] for iso in run.json("isos", "list", *arguments)]


def test_list_takes_what_the_api_takes(filled: CommandLine) -> None:
    """Filters, search, sorting and a limit choose as they do over the API."""
    assert _names(filled) == ["memtest86+x64", "ipxe", "grub-rescue-cdrom"]
    assert _names(filled, "--sort-by", "size", "--order", "DESC", "--limit", "2") == [
        "memtest86+x64",
        "grub-rescue-cdrom",
    ]
    assert _names(filled, "--search", "RESCUE") == ["grub-rescue-cdrom"]
    assert _names(filled, "--filter", "architectureWidth=64", "--filter", "volumeLabel=ISOIMAGE") == ["ipxe"]
    assert _names(filled, "--no-bootable") == []


def test_a_list_in_a_pipe_is_lines(filled: CommandLine) -> None:
    """Columns are parted by tabs, ids are whole, sizes are bytes."""
    line = filled("isos", "list", "--search", "ipxe").stdout
    columns = line.rstrip("\n").split("\t")
    assert len(columns[0]) == 36
    assert columns[1:] == ["ipxe", "Other (64-bit)", "x86_64", "bios,uefi", "2097152", "ready", "private"]


def test_a_list_on_a_terminal_is_a_table(filled: CommandLine) -> None:
    """A table has headings, short ids that the other commands take, and sizes for people."""
    _, shown = filled.on_terminal("isos", "list", "--search", "ipxe")
    row = next(line for line in shown.splitlines() if "ipxe" in line).split()
    assert "Visibility" in shown
    assert "2.0 MiB" in shown
    assert filled.json("isos", "show", row[0])["name"] == "ipxe"


def test_a_wrong_field_is_named_with_those_there_are(filled: CommandLine) -> None:
    """An unknown field and a value of the wrong kind are refused with 1."""
    unknown = filled("isos", "list", "--filter", "colour=red")
    wrong = filled("isos", "list", "--filter", "size=large")
    assert (unknown.returncode, wrong.returncode) == (1, 1)
    assert "volumeLabel" in unknown.stderr
    assert "size: expected int" in wrong.stderr


def test_an_iso_is_named_by_id_beginning_or_name(filled: CommandLine) -> None:
    """All three show the same ISO; what fits none ends with 3."""
    whole = filled.json("isos", "show", "ipxe")
    assert filled.json("isos", "show", whole["id"]) == whole
    assert filled.json("isos", "show", whole["id"][:13]) == whole
    assert filled("isos", "show", whole["id"][:3]).returncode == 3
    assert filled("isos", "show", "ipx").returncode == 3


def test_a_name_of_two_names_neither(shelf: CommandLine) -> None:
    """Where two ISOs have a name, it is refused and the id asked for."""
    assert shelf("isos", "edit", "ipxe", "--name", "memtest86+x64").returncode == 0
    done = shelf("isos", "delete", "memtest86+x64", "--yes")
    assert done.returncode == 1
    assert "give the whole id" in done.stderr
    assert len(_names(shelf)) == 3


def test_edit_changes_what_is_named_and_no_more(shelf: CommandLine) -> None:
    """The options change their fields, and all else but the date stays."""
    before = shelf.json("isos", "show", "ipxe")
    options = [
        "--description",
        "boots from the network",
        "--os-type",
        "other linux (64-BIT)",
        "--public",
        "--extractable",
    ]
    after = shelf.json("isos", "edit", "ipxe", *options)
    changed = {name: value for name, value in after.items() if before[name] != value}
    changed.pop("updated")
    assert changed.pop("osTypeId")
    assert changed == {
        "description": "boots from the network",
        "osTypeName": "Other Linux (64-bit)",
        "availablePublicly": True,
        "visibility": "public",
        "extractable": True,
    }
    assert shelf.json("isos", "show", "ipxe") == after


def test_every_field_that_the_api_changes_can_be_edited(shelf: CommandLine) -> None:
    """Some together and some alone, and the log names them as it does for the API."""
    shelf("environments", "create", "lab")
    flags = ("--no-bootable", "--extractable", "--featured")
    words = ("--name", "A", "--description", "B", "--os-type", "Other (32-bit)", *flags, "--shared-with", "lab")
    edited = shelf.json("isos", "edit", "ipxe", *words)
    assert [edited[each] for each in ("name", "description", "osTypeName")] == ["A", "B", "Other (32-bit)"]
    assert [edited[each] for each in ("bootable", "extractable", "featured")] == [False, True, True]
    assert (edited["visibility"], edited["sharedWith"]) == ("shared", ["lab"])
    assert shelf.json("isos", "edit", "A", "--private")["visibility"] == "private"
    entries = shelf.json("activity", "--operation", "iso.edit")
    changed = [name for entry in entries for name in entry["details"]["changed"]]
    assert sorted(changed) == sorted(field.encode_name for field in structs.fields(IsoEdit))


def test_an_iso_is_shared_with_the_environments_that_are_named(shelf: CommandLine) -> None:
    """By its name it is shown with them to its own, and without to the others; who is named again takes their place."""
    for name in ("lab", "classroom", "cellar"):
        shelf("environments", "create", name)
    for names in (("lab", "classroom"), ("cellar",)):
        words = [word for name in names for word in ("--shared-with", name)]
        assert shelf("isos", "edit", "ipxe", *words).returncode == 0
        assert f"sharedWith\t{', '.join(sorted(names))}\n" in shelf("isos", "show", "ipxe").stdout
        assert [name for name in ("lab", "classroom", "cellar") if _names(shelf, "-e", name)] == list(names)
    assert shelf.json("isos", "show", "ipxe")["sharedWith"] == ["cellar"]
    assert "shared with cellar" in shelf.on_terminal("isos", "list", "--search", "ipxe")[1]
    assert shelf("isos", "list", "--search", "ipxe").stdout.endswith("\tshared\n")
    for shown in (shelf("isos", "show", "ipxe", "-e", "cellar"), shelf("isos", "show", "grub-rescue-cdrom")):
        assert "sharedWith" not in shown.stdout
    listed = shelf.on_terminal("isos", "list", "-e", "cellar")[1]
    assert ("shared" in listed, "shared with" in listed) == (True, False)


def test_sharing_that_cannot_be_is_refused(filled: CommandLine) -> None:
    """With an environment that is not there, with its own, and together with another visibility."""
    missing = filled("isos", "edit", "ipxe", "--shared-with", "nowhere")
    assert (missing.returncode, "'nowhere'" in missing.stderr, "environments list" in missing.stderr) == (3, True, True)
    own = filled("isos", "edit", "ipxe", "--shared-with", "test_area")
    assert (own.returncode, "another environment" in own.stderr) == (1, True)
    for other in ("--public", "--private"):
        assert filled("isos", "edit", "ipxe", "--shared-with", "test_area", other).returncode == 2


def test_edit_refuses_what_the_api_refuses(filled: CommandLine) -> None:
    """An empty name ends with 1, an unknown OS type with 3, and no change at all is wrong usage."""
    assert filled("isos", "edit", "ipxe", "--name", "").returncode == 1
    unknown = filled("isos", "edit", "ipxe", "--os-type", "Windows 3.1 for")
    assert unknown.returncode == 3
    assert "Give part of its name, such as Debian" in unknown.stderr
    assert "Did you mean Debian" in filled("isos", "edit", "ipxe", "--os-type", "Debian").stderr
    assert filled("isos", "edit", "ipxe").returncode == 2


def test_delete_asks_people_and_wants_a_word_of_scripts(shelf: CommandLine) -> None:
    """A script without --yes deletes nothing; a person's no deletes nothing; yes deletes the row and the bytes."""
    objects = lambda: len(list(shelf.data_dir.glob("objects/??/*.iso")))  # noqa: E731 -- counted three times
    assert shelf("isos", "delete", "ipxe").returncode == 2
    assert shelf.on_terminal("isos", "delete", "ipxe", answer="n\n")[0] == 1
    assert objects() == 3
    assert shelf.on_terminal("isos", "delete", "ipxe", answer="y\n")[0] == 0
    assert objects() == 2
    assert shelf("isos", "delete", "grub-rescue-cdrom", "nothing", "--yes").returncode == 3
    assert _names(shelf) == ["memtest86+x64", "grub-rescue-cdrom"]


def test_ctrl_c_at_the_question_deletes_nothing(shelf: CommandLine) -> None:
    """An interrupt where a person is asked ends with 130, and the ISO stays."""
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(
        shelf.command("isos", "delete", "ipxe"), env=shelf.environ, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        while b"for good?" not in shown:
            shown += os.read(ours, 1 << 16)
        for _ in range(SECONDS):  # as people press it: Python does not hear one that comes as it begins to read
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
                break
        process.kill()
    assert process.returncode == 130
    os.close(ours)
    assert "ipxe" in _names(shelf)


def test_files_inside_are_listed_and_read(filled: CommandLine, tmp_path: Path) -> None:
    """A directory is listed, a file goes into a pipe as it is, and --output saves it; all agree on the bytes."""
    sizes = {each["name"]: each["size"] for each in filled.json("isos", "files", "ipxe")}
    saved = tmp_path / "isolinux.bin"
    assert filled("isos", "files", "ipxe", "/isolinux.bin", "--output", saved).returncode == 0
    piped = subprocess.run(
        filled.command("isos", "files", "ipxe", "isolinux.bin"), env=filled.environ, capture_output=True, check=True
    )
    assert saved.read_bytes() == piped.stdout
    assert len(piped.stdout) == sizes["isolinux.bin"] == 38912
    assert [path.name for path in tmp_path.iterdir()] == ["isolinux.bin"]
    assert filled("isos", "files", "ipxe", "/none").returncode == 3


def test_output_goes_into_what_is_no_regular_file(filled: CommandLine, tmp_path: Path) -> None:
    """A pipe gets the bytes and stays a pipe, a link stays one and its target gets them, a full device says so."""
    words = ("isos", "files", "ipxe", "isolinux.cfg", "--output")
    whole = filled(*words[:-1]).stdout.encode()
    pipe, link, target, full = (tmp_path / name for name in ("pipe", "link", "target", "full"))
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert filled(*words, pipe).returncode == 0
    assert (os.read(reader, 1 << 16), pipe.is_fifo()) == (whole, True)
    os.close(reader)
    target.write_bytes(b"before" * 100)
    link.symlink_to(target)
    assert filled(*words, link).returncode == 0
    assert (target.read_bytes(), link.is_symlink()) == (whole, True)
    full.symlink_to("/dev/full")
    done = filled(*words, full)
    assert (done.returncode, done.stderr) == (1, f"isobay: {full} cannot be written: No space left on device.\n")


def test_what_was_saved_is_told_in_json(filled: CommandLine, tmp_path: Path) -> None:
    """Path and bytes, also where the file's name is no text."""
    named = tmp_path / os.fsdecode(b"caf\xe9")
    said = filled.json("isos", "files", "ipxe", "isolinux.bin", "-o", named)
    assert (said, named.stat().st_size) == ({"path": str(tmp_path / "caf\ufffd"), "bytes": 38912}, 38912)


def test_output_keeps_the_mode_of_a_file(filled: CommandLine, tmp_path: Path) -> None:
    """A file that is there gets the new bytes and keeps who may read it."""
    saved = tmp_path / "private"
    saved.write_bytes(b"before")
    saved.chmod(0o600)
    assert filled("isos", "files", "ipxe", "isolinux.bin", "-o", saved).returncode == 0
    assert (saved.stat().st_size, saved.stat().st_mode & 0o777) == (38912, 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["private"]


def test_names_and_text_inside_do_not_steer_the_terminal(shelf: CommandLine, hostile: Path) -> None:
    """Escape sequences in names and in text are shown as marks on a terminal, and a binary file is refused there."""
    shelf("add", hostile)
    _, listed = shelf.on_terminal("isos", "files", "hostile")
    _, shown = shelf.on_terminal("isos", "files", "hostile", "/plain.txt")
    code, refused = shelf.on_terminal("isos", "files", "hostile", "/binary")
    assert "na�]0;owned�me.txt" in listed
    assert "text�[31m and more" in shown
    assert (code, "--output" in refused) == (1, True)
    assert not any("\x1b]0" in each or "\x1b[31m" in each for each in (listed, shown, refused))


def test_names_given_by_people_do_not_steer_the_terminal(shelf: CommandLine) -> None:
    """A name with escape sequences is shown with marks in tables, panels, lines and sentences, and whole in JSON."""
    name = "red\x9b31m\u202edrow"
    assert shelf("isos", "edit", "ipxe", "--name", name, "--bootable").returncode == 0
    _, listed = shelf.on_terminal("isos", "list")
    _, shown = shelf.on_terminal("isos", "show", name)
    lines = shelf("isos", "list").stdout
    _, asked = shelf.on_terminal("isos", "delete", name, answer="n\n")
    for each in (listed, shown, lines, asked):
        assert "red�31m�drow" in each
        assert "\x9b" not in each
    assert name in [iso["name"] for iso in shelf.json("isos", "list")]


@pytest.mark.parametrize("words", [("files", "memtest86+x64", "/boot/floppy.img"), ("list",)], ids=["much", "little"])
def test_a_reader_that_goes_away_is_no_error_to_show(filled: CommandLine, words: tuple[str, ...]) -> None:
    """A pipe that nobody reads ends the command with 1 and leaves standard error empty, also at the last flush."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        filled.command("isos", *words), env=filled.environ, stdout=theirs, stderr=subprocess.PIPE, check=False
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "words",
    [("files", "memtest86+x64", "/boot/floppy.img"), ("list",), ("list", "--json")],
    ids=["much", "little", "json"],
)
def test_a_full_standard_output_is_one_sentence(filled: CommandLine, words: tuple[str, ...]) -> None:
    """Where results cannot be written the command ends with 1 and says so once."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            filled.command("isos", *words), env=filled.environ, stdout=full, stderr=subprocess.PIPE, check=False
        )
    said = b"isobay: Standard output cannot be written: No space left on device.\n"
    assert (done.returncode, done.stderr) == (1, said)
