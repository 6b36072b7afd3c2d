"""``isobay environments`` and ``isobay keys``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from command_line import CommandLine


def test_an_environment_is_made_changed_and_deleted(shelf: CommandLine) -> None:
    """Each step shows in the list; a taken and a wrong name are refused with 1."""
    made = shelf.json("environments", "create", "lab", "--description", "for trials", "--service", "compute-on")
    assert shelf("environments", "create", "lab").returncode == 1
    wrong = shelf("environments", "create", "Lab 2")
    assert (wrong.returncode, "name: " in wrong.stderr) == (1, True)
    assert shelf.json("environments", "edit", "lab", "--name", "proving_ground")["id"] == made["id"]
    listed = shelf("environments", "list").stdout.splitlines()
    assert [line.split("\t")[1] for line in listed] == ["test_area", "proving_ground"]
    assert shelf.json("environments", "delete", made["id"][:8]) == {"id": made["id"], "name": "proving_ground"}
    assert shelf("environments", "delete", "proving_ground").returncode == 3


def test_an_environment_with_isos_stays(filled: CommandLine) -> None:
    """Deleting an environment that holds ISOs is refused with how many there are."""
    done = filled("environments", "delete", "test_area")
    assert done.returncode == 1
    assert "3 ISOs" in done.stderr


def test_environments_do_not_share_what_is_private(shelf: CommandLine) -> None:
    """Another environment sees a public ISO, may not change it, and does not see private ones."""
    shelf("environments", "create", "lab")
    shelf("isos", "edit", "ipxe", "--public")
    assert [iso["name"] for iso in shelf.json("isos", "list", "-e", "lab")] == ["ipxe"]
    done = shelf("isos", "delete", "ipxe", "-e", "lab", "--yes")
    assert (done.returncode, "another environment" in done.stderr) == (1, True)


def test_a_key_is_printed_once_and_alone(shelf: CommandLine) -> None:
    """The key is all of standard output, lists do not have it, and deleting takes it back."""
    made = shelf("keys", "create", "ci", "--role", "viewer", "--environment", "test_area")
    key = made.stdout.rstrip("\n")
    assert key.startswith("isobay_")
    assert "\n" not in key
    listed = shelf("keys", "list").stdout
    assert key not in listed
    assert "\tci\tviewer\ttest_area\t" in listed
    assert shelf("keys", "delete", "ci").returncode == 0
    assert "\tci\t" not in shelf("keys", "list").stdout


def test_the_key_that_is_printed_opens_the_door(shelf: CommandLine) -> None:
    """The printed key is known at the door with its role, and only in its environment."""
    from isobay.app import build
    from isobay.settings import Settings

    key = shelf.json("keys", "create", "ci", "--role", "viewer", "-e", "test_area")
    built = build(Settings.load({}, data_dir=shelf.data_dir))
    visit = built.door.enter(key["apiKey"], "compute-on", "test_area")
    built.catalog.close()
    assert (visit.identity.name, visit.identity.role) == ("ci", "viewer")


def test_what_would_lock_everybody_out_is_refused(filled: CommandLine) -> None:
    """The last administrator's key stays, and a key without an environment is not made."""
    assert filled("keys", "delete", "first administrator").returncode == 1
    assert filled("keys", "create", "nobody").returncode == 1
    assert filled("keys", "create", "ci", "-e", "nowhere").returncode == 3


def test_a_missing_data_directory_is_not_made_by_reading(isobay: CommandLine) -> None:
    """A list of what is not there says so in one sentence, and makes nothing."""
    done = isobay("isos", "list")
    assert done.returncode == 1
    assert "--data-dir" in done.stderr
    assert not isobay.data_dir.exists()


def test_a_wrong_option_is_named(isobay: CommandLine) -> None:
    """A setting that cannot be used is one sentence, not a traceback."""
    done = isobay("isos", "list", ISOBAY_WORKERS="many")
    assert done.returncode == 1
    assert done.stderr.startswith("isobay: ISOBAY_WORKERS cannot be 'many'")
    assert done.stderr.count("\n") == 1


def test_the_shell_completes_commands(isobay: CommandLine) -> None:
    """What a shell asks while somebody types is answered with the commands that fit."""
    program = Path(sys.executable).with_name("isobay")
    asked = {"_ISOBAY_COMPLETE": "complete_bash", "COMP_WORDS": "isobay is", "COMP_CWORD": "1"}
    done = subprocess.run([program], env={**isobay.environ, **asked}, capture_output=True, check=False, text=True)
    assert done.stdout.split() == ["isos"]


def test_help_shows_every_group(isobay: CommandLine) -> None:
    """`python -m isobay --help` names the commands and the exit codes."""
    done = isobay("--help")
    assert done.returncode == 0
    for word in ("inspect", "add", "serve", "isos", "environments", "keys", "rules", "Exit codes"):
        assert word in done.stdout
