"""``isobay isos prove`` and ``isobay isos picture``, on a real libvirt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from command_line import CommandLine

from hypervisors import Libvirt

PNG = b"\x89PNG\r\n\x1a\n"


def test_an_iso_is_booted_and_its_picture_saved(
    libvirt_server: Libvirt, packaged: Mapping[str, Path], tmp_path: Path
) -> None:
    """A proof is followed to its end and told for each mode; its picture goes into a file or a pipe."""
    run = CommandLine(libvirt_server.data_dir(), tmp_path / "home")
    run.environ |= {"ISOBAY_LIBVIRT": libvirt_server.uri, "ISOBAY_BOOT_PROOF_SECONDS": "3"}
    assert run("add", packaged["ipxe"]).returncode == 0
    none = run("isos", "picture", "ipxe")
    assert (none.returncode, "operation=prove" in none.stderr) == (3, True)
    done = run("isos", "prove", "ipxe")
    assert done.returncode == 0, done.stderr
    mode, result, seconds, _ = done.stdout.splitlines()[0].split("\t")
    assert (mode, result, float(seconds) > 0) == ("bios", "shown", True)
    assert "bios shown after" in run("isos", "show", "ipxe").stdout
    picture = tmp_path / "shown.png"
    assert run.json("isos", "picture", "ipxe", "--output", str(picture))["path"] == str(picture)
    assert picture.read_bytes().startswith(PNG)
    begun = run("isos", "prove", "ipxe", "--no-wait").stdout.rstrip("\n").split("\t")
    assert run.json("tasks", "show", begun[2])["kind"] == "iso.prove"
