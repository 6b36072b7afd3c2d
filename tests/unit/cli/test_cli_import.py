"""``isobay import`` and ``isobay isos retry``."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from time import sleep

import pytest
from command_line import SECONDS, CommandLine

from hostile_source import Page
from hostile_source import hostile as hostile_server
from service import serving
from sources import Nginx, nginx

LOGIN = ("reader", "correct-horse")


def test_an_import_ends_on_the_shelf(importing: CommandLine, mirror: Nginx, packaged: Mapping[str, Path]) -> None:
    """Where no worker runs the command brings the image itself: named after its file, whole, and read."""
    url = mirror.url("/images/ipxe.iso")
    iso = importing.json("import", url)
    assert (iso["name"], iso["status"], iso["sourceUrl"]) == ("ipxe", "ready", url)
    assert iso["checksums"]["sha256"] == sha256(packaged["ipxe"].read_bytes()).hexdigest()
    assert iso["volumeLabel"] == "ISOIMAGE"
    assert importing.json("isos", "show", "ipxe") == iso


def test_what_the_options_say_wins(importing: CommandLine, mirror: Nginx) -> None:
    """Each option is in the ISO that comes of it, and the checksum of the publisher's file is proved."""
    words = ["--name", "boot firmware", "--description", "from the network", "--zone", "zone1", "--no-bootable"]
    words += ["--os-type", "other linux (64-bit)", "--public", "--extractable"]
    words += ["--checksum-url", mirror.url("/images/SHA256SUMS")]
    iso = importing.json("import", mirror.url("/images/ipxe.iso"), *words)
    assert (iso["name"], iso["description"], iso["zoneName"]) == ("boot firmware", "from the network", "zone1")
    assert (iso["bootable"], iso["osTypeName"]) == (False, "Other Linux (64-bit)")
    assert (iso["availablePublicly"], iso["extractable"], iso["status"]) == (True, True, "ready")
    assert "/images/SHA256SUMS" in [fetch.uri for fetch in mirror.fetches()]


def test_what_the_image_says_against_it_is_said(importing: CommandLine, mirror: Nginx) -> None:
    """Where an option contradicts the image, the import is done, and a sentence on standard error tells."""
    done = importing("import", mirror.url("/images/ipxe.iso"), "--no-bootable")
    assert (done.returncode, "It is said not to be bootable, but the image boots" in done.stderr) == (0, True)


def test_an_import_in_a_pipe_is_a_line_and_on_a_terminal_a_sentence(importing: CommandLine, mirror: Nginx) -> None:
    """Both say what `add` says; only a terminal sees a bar, and what happens goes to standard error."""
    url = mirror.url("/images/memtest86+x64.iso")
    piped = importing("import", url)
    columns = piped.stdout.rstrip("\n").split("\t")
    assert columns[1:] == ["memtest86+x64", "Other (64-bit)", "x86_64", "bios,uefi", "6193152"]
    assert "MiB" not in piped.stderr
    code, shown = importing.on_terminal("import", url)
    assert code == 0
    assert "Imported memtest86+x64" in shown
    assert "\x1b[2K" in shown  # how a bar takes itself away


def test_a_packed_image_is_named_without_its_endings(
    importing: CommandLine, packaged: Mapping[str, Path], tmp_path: Path
) -> None:
    """Neither .iso nor what it is packed with is part of a name."""
    import gzip

    (tmp_path / "grub.iso.GZ").write_bytes(gzip.compress(packaged["grub"].read_bytes(), 1))
    with nginx(tmp_path) as server:
        iso = importing.json("import", server.url("/grub.iso.GZ"))
    assert (iso["name"], iso["size"]) == ("grub", packaged["grub"].stat().st_size)


def test_a_failed_import_is_said_and_tried_again(
    importing: CommandLine, packaged: Mapping[str, Path], tmp_path: Path
) -> None:
    """A file that is missing fails with 1 and with the words to try again, which work when it is there."""
    with nginx(tmp_path) as server:
        failed = importing("import", server.url("/late.iso"), "--json")
        iso = json.loads(failed.stdout)
        assert (failed.returncode, iso["status"]) == (1, "failed")
        assert f"isobay: {iso['statusMessage']}\n" in failed.stderr
        assert f"isobay isos retry {iso['id']}`" in failed.stderr
        shutil.copy(packaged["ipxe"], tmp_path / "late.iso")
        assert importing.json("isos", "retry", iso["id"])["status"] == "ready"
    again = importing("isos", "retry", "late")
    assert (again.returncode, "only an import that failed" in again.stderr) == (1, True)


def test_the_words_to_try_again_name_the_environment(importing: CommandLine, mirror: Nginx) -> None:
    """In another environment than the usual one they have it, or they would not work."""
    importing("environments", "create", "lab")
    failed = importing("import", mirror.url("/images/none.iso"), "--environment", "lab")
    assert failed.stderr.rstrip("\n").endswith(" -e lab`.")


def test_what_is_wrong_is_refused_before_anything_is_made(importing: CommandLine, mirror: Nginx) -> None:
    """Wrong URLs are all named, and neither they nor a wrong checksum make a data directory."""
    done = importing("import", "ftp://example.org/x.iso", "--checksum-url", "SHA256SUMS")
    assert done.returncode == 1
    assert "; checksum-url: is not a whole URL" in done.stderr
    assert importing("import", mirror.url("/images/ipxe.iso"), "--checksum", "sha256:12").returncode == 1
    assert not importing.data_dir.exists()


def test_an_unknown_zone_is_told_with_those_there_are(importing: CommandLine, mirror: Nginx) -> None:
    """It ends with 3, names the zones there are, and leaves nothing on the shelf."""
    done = importing("import", mirror.url("/images/ipxe.iso"), "--zone", "zone9")
    assert (done.returncode, "there are zone1" in done.stderr) == (3, True)
    assert importing.json("isos", "list") == []


@pytest.mark.parametrize("password", [LOGIN[1], "wrong-horse"], ids=["right", "wrong"])
def test_a_login_is_shown_nowhere(
    importing: CommandLine, packaged: Mapping[str, Path], tmp_path: Path, password: str
) -> None:
    """A login in a URL is used, and is in nothing that is printed or kept readably, whether it is right or not."""
    shutil.copy(packaged["ipxe"], tmp_path / "ipxe.iso")
    with nginx(tmp_path, login=LOGIN) as server:
        url = server.url("/ipxe.iso", host=f"{LOGIN[0]}:{password}@127.0.0.1")
        done = importing("import", url)
        _, shown = importing.on_terminal("import", url)
        wrong = importing("import", url.replace("http:", "gopher:"))
    assert done.returncode == (0 if password == LOGIN[1] else 1)
    later = importing("isos", "list", "--json").stdout + importing("tasks", "list", "--all", "--json").stdout
    printed = f"{done.stdout}{done.stderr}{shown}{wrong.stderr}{later}"
    assert "127.0.0.1" in printed
    assert not any(word in printed for word in (LOGIN[0], password))
    assert password.encode() not in (importing.data_dir / "isobay.db").read_bytes()


def test_ctrl_c_leaves_the_import_to_the_next_worker(importing: CommandLine, packaged: Mapping[str, Path]) -> None:
    """An interrupt ends with 130 and says how the import goes on; following it brings the rest of the bytes."""
    data = packaged["memtest"].read_bytes()
    with hostile_server() as source:
        source.pages["/slow.iso"] = Page(data, stall_after=3 << 20, times=1, then=Page(data))
        with importing.begun("import", source.url("/slow.iso"), until="Fetching from") as process:
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=SECONDS)
        assert (process.returncode, out) == (130, "")
        [task] = importing.json("tasks", "list")
        assert "when `isobay serve` or `isobay worker` next runs" in said
        assert f"`isobay tasks cancel {task['id']}`" in said
        assert importing.json("tasks", "follow", task["id"])["status"] == "SUCCESS"
        assert source.requests[-1].headers["range"].startswith("bytes=")
    assert importing.json("isos", "show", "slow")["ready"] is True


def test_beside_a_service_the_import_is_the_services(importing: CommandLine, packaged: Mapping[str, Path]) -> None:
    """The service's worker does the work: Ctrl-C says so, and the import ends with nobody following it."""
    options = {name: value for name, value in importing.environ.items() if name.startswith("ISOBAY_")}
    page = Page(packaged["ipxe"].read_bytes(), stall_after=1 << 20)
    with hostile_server() as source, serving(importing.data_dir, **options) as service:
        while not service.behind.runner.has_worker():  # it serves before its worker has begun
            sleep(0.05)
        source.pages["/slow.iso"] = page
        with importing.begun("import", source.url("/slow.iso"), until="Fetching from") as process:
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=SECONDS)[1]
        page.released.set()
        [iso] = importing.json("isos", "list")
        watching = importing("tasks", "follow", said.split("isobay tasks follow ")[1][:36], ISOBAY_TASKS_AT_ONCE="0")
    assert (process.returncode, "in the worker that runs" in said) == (130, True)
    assert watching.returncode == 0
    assert [request.target for request in source.requests] == ["/slow.iso"]
    assert importing.json("isos", "show", iso["id"])["ready"] is True


def test_what_happens_meanwhile_is_said(importing: CommandLine) -> None:
    """A server that hangs up is named on standard error with when it is tried again, before the import fails."""
    with hostile_server() as source:
        source.pages["/cut.iso"] = Page(bytes(1 << 20), cut_every=1000, ranges=False)
        done = importing("import", source.url("/cut.iso"), ISOBAY_FETCH_RETRIES="1", ISOBAY_FETCH_RETRY_SECONDS="2")
    assert done.returncode == 1
    assert "Trying again in" in done.stderr


def test_an_iso_deleted_meanwhile_ends_the_following(importing: CommandLine, packaged: Mapping[str, Path]) -> None:
    """Who follows an import that another deletes is told so, and not to try again."""
    with hostile_server() as source:
        source.pages["/slow.iso"] = Page(packaged["ipxe"].read_bytes(), stall_after=1 << 20)
        with importing.begun("import", source.url("/slow.iso"), until="Fetching from") as process:
            assert importing("isos", "delete", "slow", "--yes").returncode == 0
            said = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 1
    assert "was deleted meanwhile" in said
    assert "retry" not in said
