"""``isobay add``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from command_line import CommandLine


def test_what_can_be_added_is_added(isobay: CommandLine, packaged: Mapping[str, Path], tmp_path: Path) -> None:
    """A refused file does not stop the next one; each gives a line of JSON, and the exit code is 1."""
    page = tmp_path / "page.iso"
    page.write_text("<html>404</html>")
    done = isobay("add", "--json", packaged["ipxe"], page, tmp_path / "missing.iso", packaged["grub"])
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert ["iso" in each for each in told] == [True, False, False, True]
    assert told[0]["iso"]["checksums"]["sha256"] == sha256(packaged["ipxe"].read_bytes()).hexdigest()
    assert (told[1]["error"]["code"], told[1]["error"]["context"]["reason"]) == (2101, "html")
    assert told[2]["error"]["code"] == 2103
    assert [iso["name"] for iso in isobay.json("isos", "list")] == ["ipxe", "grub-rescue-cdrom"]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    isobay: CommandLine, packaged: Mapping[str, Path], tmp_path: Path
) -> None:
    """An unreadable file is refused on its own, in one sentence, and the exit code is 1."""
    secret = tmp_path / "secret.iso"
    secret.touch(mode=0)
    done = isobay.without_rights("add", secret, packaged["ipxe"])
    assert done.returncode == 1
    assert f"isobay: {secret} cannot be read: Permission denied.\n" in done.stderr
    assert [iso["name"] for iso in isobay.json("isos", "list")] == ["ipxe"]


def test_the_first_add_prints_the_administrators_key(isobay: CommandLine, packaged: Mapping[str, Path]) -> None:
    """The key of a directory made by `add` is shown, once, and not among the results."""
    first = isobay("add", packaged["ipxe"], "--name", "boot firmware")
    assert first.returncode == 0
    assert "administrator key, shown this once: isobay_" in first.stderr
    assert first.stdout.split("\t")[1:5] == ["boot firmware", "Other (64-bit)", "x86_64", "bios,uefi"]
    assert "isobay_" not in isobay("add", packaged["ipxe"]).stderr


def test_one_name_is_for_one_file(isobay: CommandLine, packaged: Mapping[str, Path]) -> None:
    """Two files and --name are wrong usage, and nothing is made."""
    done = isobay("add", packaged["ipxe"], packaged["grub"], "--name", "both")
    assert done.returncode == 2
    assert not isobay.data_dir.exists()


def test_an_unknown_environment_is_not_found(isobay: CommandLine, packaged: Mapping[str, Path]) -> None:
    """An environment that is not there ends with 3, and the sentence says how to list them."""
    done = isobay("add", packaged["ipxe"], "--environment", "nowhere")
    assert done.returncode == 3
    assert "isobay environments list" in done.stderr


def test_a_bar_shows_on_a_terminal_only(shelf: CommandLine, packaged: Mapping[str, Path]) -> None:
    """A terminal sees the bytes go by and then one line; a pipe sees no bar."""
    code, shown = shelf.on_terminal("add", packaged["memtest"])
    assert code == 0
    assert "5.9/5.9 MiB" in shown
    assert "Added memtest86+x64" in shown
    assert "MiB" not in shelf("add", packaged["memtest"]).stderr


def test_what_is_done_stands_in_the_log(shelf: CommandLine) -> None:
    """Adding, changing and deleting are each written into the log of activity as the operator's."""
    from isobay.access import OPERATOR
    from isobay.app import build
    from isobay.model import Listing
    from isobay.settings import Settings

    shelf("isos", "edit", "ipxe", "--name", "renamed")
    shelf("isos", "delete", "renamed", "--yes")
    built = build(Settings.load({}, data_dir=shelf.data_dir))
    log = built.records.activity(OPERATOR, Listing(limit=10))
    built.catalog.close()
    assert [each.operation for each in log.items] == ["iso.delete", "iso.edit", "iso.add", "iso.add", "iso.add"]
    assert {each.key_name for each in log.items} == {"operator"}
    assert log.items[0].object_name == "renamed"
