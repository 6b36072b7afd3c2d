"""``isobay inspect``."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from command_line import CommandLine

from hostile_source import Page
from hostile_source import hostile as hostile_server
from sources import Nginx


def test_inspect_tells_a_program_what_an_image_is(isobay: CommandLine, packaged: Mapping[str, Path]) -> None:
    """With --json the report has the true size, formats, boot modes, boot entries and architecture."""
    report = isobay.json("inspect", packaged["memtest"])
    assert report["size"] == packaged["memtest"].stat().st_size
    assert report["volumeLabel"] == "MT86PLUS_64"
    assert report["bootModes"] == ["bios", "uefi"]
    assert [entry["platform"] for entry in report["bootEntries"]] == ["x86", "efi"]
    assert (report["architecture"], report["architectureWidth"]) == ("x86_64", 64)
    assert {"iso9660", "eltorito"} <= set(report["formats"])


def test_inspect_makes_no_data_directory(isobay: CommandLine, packaged: Mapping[str, Path], tmp_path: Path) -> None:
    """Without a data directory the rules' cache goes to the user's own cache, and nothing else is written."""
    cache = tmp_path / "cache"
    done = isobay("inspect", packaged["grub"], XDG_CACHE_HOME=str(cache))
    assert done.returncode == 0, done.stderr
    assert not isobay.data_dir.exists()
    assert [path.name for path in cache.rglob("*") if path.is_file()] == ["rules.cache"]


def test_inspect_works_where_nothing_can_be_written(isobay: CommandLine, packaged: Mapping[str, Path]) -> None:
    """Where no cache can be made the report is the same."""
    done = isobay("inspect", packaged["grub"], XDG_CACHE_HOME="/proc/none", HOME="/proc/none")
    assert done.returncode == 0, done.stderr
    assert "Bootable\tbios\n" in done.stdout


def test_inspect_finds_the_system_and_says_how(hostile: Path, isobay: CommandLine) -> None:
    """An image with .disk/info is named, and a sentence says from what."""
    system = isobay.json("inspect", hostile)["os"]
    assert system["name"].startswith("Ubuntu 24.04")
    assert any(".disk/info" in sentence for sentence in system["evidence"])


def test_all_forms_of_inspect_are_one(isobay: CommandLine, packaged: Mapping[str, Path]) -> None:
    """Where the option stands makes no difference, nor whether other options are there."""
    path = packaged["ipxe"]
    forms = [("--json", path), (path, "--json"), ("--data-dir", isobay.data_dir, "--json", path)]
    printed = [isobay("inspect", *form).stdout for form in forms]
    assert printed[0] == printed[1] == printed[2]
    assert json.loads(printed[0])["volumeLabel"] == "ISOIMAGE"


def test_inspect_says_why_a_file_is_no_image(isobay: CommandLine, packaged: Mapping[str, Path], tmp_path: Path) -> None:
    """A web page, a disk of QEMU, a packed image and a truncated one are refused in one sentence each."""
    page, disk, packed, short = (tmp_path / name for name in ("page.iso", "disk.iso", "packed.iso", "short.iso"))
    page.write_text("<!DOCTYPE html><html><body>Please log in</body></html>")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "1M"], check=True)
    packed.write_bytes(subprocess.run(["gzip", "-c", str(packaged["grub"])], check=True, capture_output=True).stdout)
    short.write_bytes(packaged["grub"].read_bytes()[: 1 << 20])
    for path, said in ((page, "web page"), (disk, "qcow2"), (packed, "gzip"), (short, "truncated")):
        done = isobay("inspect", path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("isobay: ")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_what_is_no_file_is_refused_at_once(isobay: CommandLine, tmp_path: Path) -> None:
    """A missing file ends with 3; a pipe, which nobody writes to, and a directory with 1."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert isobay("inspect", tmp_path / "missing.iso").returncode == 3
    assert isobay("inspect", pipe).returncode == 1
    assert "not a regular file" in isobay("inspect", tmp_path).stderr


def test_what_cannot_be_read_is_said(isobay: CommandLine, packaged: Mapping[str, Path], tmp_path: Path) -> None:
    """An unreadable file is one sentence and 1; a data directory that cannot be read does not matter to inspect."""
    secret = tmp_path / "secret.iso"
    secret.touch(mode=0)
    isobay.data_dir.mkdir(mode=0)
    refused = isobay.without_rights("inspect", secret, "--data-dir", isobay.data_dir)
    assert (refused.returncode, refused.stderr) == (1, f"isobay: {secret} cannot be read: Permission denied.\n")
    done = isobay.without_rights("inspect", "--data-dir", isobay.data_dir, packaged["ipxe"])
    assert (done.returncode, "Volume label\tISOIMAGE\n" in done.stdout) == (0, True)
    listed = isobay.without_rights("isos", "list")
    assert (listed.returncode, "Permission denied" in listed.stderr, listed.stderr.count("\n")) == (1, True, 1)


def test_inspect_draws_a_panel_on_a_terminal(isobay: CommandLine, packaged: Mapping[str, Path]) -> None:
    """On a terminal the facts stand in a panel under the file's name."""
    code, shown = isobay.on_terminal("inspect", packaged["ipxe"])
    assert code == 0
    assert "╭─ /usr/lib/ipxe/ipxe.iso ─" in shown
    assert "efi, bootable, no emulation" in shown


def test_nothing_from_an_image_steers_the_terminal(isobay: CommandLine, hostile: Path, tmp_path: Path) -> None:
    """Escape sequences in a label, in a file or in the path are shown as marks, in a panel and in a sentence."""
    path = tmp_path / "pa\x1b[31mth.iso"
    refused = isobay("inspect", path).stderr
    path.symlink_to(hostile)
    _, shown = isobay.on_terminal("inspect", path)
    assert "LA�[31mBEL" in shown
    assert "pa�[31mth.iso" in shown
    assert "pa�[31mth.iso" in refused
    assert "\x1b[31m" not in shown + refused


def test_a_url_is_told_as_far_as_an_import_would_come(
    importing: CommandLine, mirror: Nginx, packaged: Mapping[str, Path]
) -> None:
    """Findings and then the facts of the file itself, on few requests; no data directory is made."""
    url = mirror.url("/images/memtest86+x64.iso")
    before = len(mirror.fetches())
    done = importing("inspect", url)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    told = {row[1]: row[0] for row in rows if len(row) == 3}
    assert (done.returncode, done.stderr) == (0, "It can be imported.\n")
    assert {told["server"], told["range"], told["size"], told["image"], told["checksum"]} == {"ok"}
    assert told["tls"] == "notice"
    facts = {row[0]: row[1] for row in rows if len(row) == 2}
    near = dict(line.split("\t") for line in importing("inspect", packaged["memtest"]).stdout.splitlines())
    assert facts == near
    assert len(mirror.fetches()) - before <= 8
    assert not importing.data_dir.exists()


def test_a_url_is_told_to_programs(importing: CommandLine, mirror: Nginx, packaged: Mapping[str, Path]) -> None:
    """With --json it is the doctor's object, with the checksum of the file that is named, and the room there is."""
    assert importing("add", packaged["grub"]).returncode == 0
    url, sums = mirror.url("/images/ipxe.iso"), mirror.url("/images/SHA256SUMS")
    told = importing.json("inspect", url, "--checksum-url", sums)
    assert (told["importable"], told["url"], told["checksumSource"]) == (True, url, sums)
    assert told["checksum"] == f"sha256:{sha256(packaged['ipxe'].read_bytes()).hexdigest()}"
    assert told["report"]["volumeLabel"] == "ISOIMAGE"
    assert "space" in [finding["subject"] for finding in told["findings"]]


def test_what_cannot_be_imported_ends_with_1(importing: CommandLine, mirror: Nginx, hostile: Path) -> None:
    """A missing file, a web page and an address that is no URL are problems; people see marks, and no file's own."""
    missing = importing("inspect", mirror.url("/images/none.iso"))
    assert (missing.returncode, missing.stdout.split("\t")[:2]) == (1, ["problem", "server"])
    assert missing.stderr == "It cannot be imported.\n"
    wrong = importing("inspect", "ftp://example.org/x.iso")
    assert (wrong.returncode, "has the scheme ftp" in wrong.stderr) == (1, True)
    with hostile_server() as source:
        source.pages["/page.iso"] = Page(b"<!DOCTYPE html><html><body>Please log in</body></html>")
        source.pages["/bad.iso"] = Page(hostile.read_bytes(), headers={"Server": "a\x9b31m"})
        code, shown = importing.on_terminal("inspect", source.url("/page.iso"))
        assert (code, "✗  image" in shown, "✓  server" in shown) == (1, True, True)
        assert "LA�[31mBEL" in importing.on_terminal("inspect", source.url("/bad.iso"))[1]


def test_a_checksum_file_goes_with_a_url(isobay: CommandLine, packaged: Mapping[str, Path]) -> None:
    """With a local file it is wrong usage."""
    assert isobay("inspect", packaged["ipxe"], "--checksum-url", "https://example.org/SHA256SUMS").returncode == 2


def test_ctrl_c_ends_the_look_at_a_url_quietly(importing: CommandLine) -> None:
    """An interrupt while the server sends nothing ends with 130, and nothing is said."""
    page = Page(bytes(1 << 20), stall_after=1000)
    with hostile_server() as source:
        source.pages["/slow.iso"] = page
        done = importing.interrupted("inspect", source.url("/slow.iso"), when=page.stalled)
    assert done == (130, (b"", b""))
