"""``isobay files``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from command_line import CommandLine

from hostile_source import Page
from hostile_source import hostile as hostile_server
from sources import Nginx


def test_an_image_is_read_the_same_from_near_and_far(
    importing: CommandLine, mirror: Nginx, packaged: Mapping[str, Path]
) -> None:
    """What is listed and printed is as by `isos files`; nothing is made, and far less is sent than the image."""
    url, path = mirror.url("/images/ipxe.iso"), packaged["ipxe"]
    before = len(mirror.fetches())
    listed = [importing("files", source, "--json").stdout for source in (url, path)]
    printed = [importing("files", source, "/isolinux.cfg").stdout for source in (url, path)]
    fetches = mirror.fetches()[before:]
    assert not importing.data_dir.exists()
    assert printed[0].startswith("# These default options")
    assert {fetch.status for fetch in fetches} == {206}
    assert sum(fetch.sent for fetch in fetches) < path.stat().st_size / 2
    assert importing("add", path).returncode == 0
    assert {importing("isos", "files", "ipxe", "--json").stdout} == set(listed)
    assert {importing("isos", "files", "ipxe", "/isolinux.cfg").stdout} == set(printed)


def test_a_file_is_saved_from_afar(
    importing: CommandLine, mirror: Nginx, packaged: Mapping[str, Path], tmp_path: Path
) -> None:
    """--output has the file's bytes, however many requests they take."""
    saved, path = tmp_path / "floppy.img", packaged["memtest"]
    names = ("files", mirror.url("/images/memtest86+x64.iso"), "/boot/floppy.img", "-o", saved)
    assert importing(*names).returncode == 0
    near = subprocess.run(
        importing.command("files", path, "/boot/floppy.img"), env=importing.environ, capture_output=True, check=True
    )
    assert saved.read_bytes() == near.stdout
    assert len(near.stdout) > 1 << 20


def test_a_server_without_range_is_said(importing: CommandLine, packaged: Mapping[str, Path]) -> None:
    """What would need the whole file ends with 1 and the reason, and so does a server that hides the size."""
    data = packaged["memtest"].read_bytes()
    with hostile_server() as source:
        source.pages["/whole.iso"] = Page(data, ranges=False)
        source.pages["/endless.iso"] = Page(endless=True)
        whole = importing("files", source.url("/whole.iso"), "/boot/floppy.img")
        endless = importing("files", source.url("/endless.iso"))
    assert (whole.returncode, "does not give parts of a file (Range)" in whole.stderr) == (1, True)
    assert (endless.returncode, "does not say how large" in endless.stderr) == (1, True)


def test_what_is_not_there_is_not_found(importing: CommandLine, mirror: Nginx, tmp_path: Path) -> None:
    """A path that the image lacks and a missing file end with 3, a page that the server lacks with 1."""
    assert importing("files", mirror.url("/images/ipxe.iso"), "/none").returncode == 3
    assert importing("files", tmp_path / "missing.iso").returncode == 3
    assert importing("files", mirror.url("/images/none.iso")).returncode == 1


def test_an_address_that_is_not_allowed_is_not_read(isobay: CommandLine, mirror: Nginx) -> None:
    """The address guard stands before this command too."""
    before = len(mirror.fetches())
    done = isobay("files", mirror.url("/images/ipxe.iso"))
    assert (done.returncode, "ISOBAY_ALLOWED_NETWORKS" in done.stderr) == (1, True)
    assert len(mirror.fetches()) == before


def test_ctrl_c_ends_the_reading_quietly(importing: CommandLine) -> None:
    """An interrupt while the server sends nothing ends with 130, and nothing is said."""
    page = Page(bytes(1 << 20), stall_after=1000)
    with hostile_server() as source:
        source.pages["/slow.iso"] = page
        done = importing.interrupted("files", source.url("/slow.iso"), when=page.stalled)
    assert done == (130, (b"", b""))


def test_a_reader_of_a_file_that_goes_away_is_no_fault_of_the_image(
    importing: CommandLine, packaged: Mapping[str, Path]
) -> None:
    """A pipe that nobody reads ends the command with 1 and leaves standard error empty."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        importing.command("files", packaged["memtest"], "/boot/floppy.img"),
        env=importing.environ,
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, b"")
