"""``isobay environments`` and ``isobay keys``."""

from __future__ import annotations

from command_line import CommandLine


def test_an_environment_is_made_changed_and_deleted(shelf: CommandLine) -> None:
    """Each step shows in the list; a taken and a wrong name are refused with 1."""
    made = shelf.json("environments", "create", "lab", "--description", "for trials", "--service", "compute-on")
    assert shelf("environments", "create", "lab").returncode == 1
    wrong = shelf("environments", "create", "Lab 2")
    assert (wrong.returncode, "name: expected 1 to 63 lower case letters" in wrong.stderr) == (1, True)
    assert shelf.json("environments", "edit", "lab", "--name", "proving_ground")["id"] == made["id"]
    listed = shelf("environments", "list").stdout.splitlines()
    assert [line.split("\t")[1] for line in listed] == ["test_area", "proving_ground"]
    assert shelf.json("environments", "delete", made["id"][:8], "--yes") == {"id": made["id"], "name": "proving_ground"}
    assert shelf("environments", "delete", "proving_ground", "--yes").returncode == 3


def test_an_environment_with_isos_stays(filled: CommandLine) -> None:
    """Deleting an environment that holds ISOs is refused with how many there are."""
    done = filled("environments", "delete", "test_area", "--yes")
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
    assert shelf("keys", "delete", "ci", "--yes").returncode == 0
    assert "\tci\t" not in shelf("keys", "list").stdout


def test_nothing_is_deleted_without_asking(shelf: CommandLine) -> None:
    """A script has to say --yes, on a terminal somebody may say no, and both leave the key or the environment."""
    shelf("environments", "create", "lab")
    shelf("keys", "create", "ci", "-e", "lab")
    for words, question in (
        (("keys", "delete", "ci"), "Take the key ci back?"),
        (("environments", "delete", "lab"), "Delete the environment lab?"),
    ):
        done = shelf(*words)
        assert (done.returncode, "--yes" in done.stderr) == (2, True)
        code, shown = shelf.on_terminal(*words, answer="n\n")
        assert (code, question in shown) == (1, True)
        assert f"\t{words[2]}\t" in shelf(words[0], "list").stdout
        code, shown = shelf.on_terminal(*words, answer="y\n")
        assert (code, f"Deleted {words[2]}" in shown) == (0, True)


def test_a_key_says_how_far_and_how_long_it_goes(shelf: CommandLine) -> None:
    """Its role, its environments and its end; a day is its beginning in UTC anywhere, and a bad one is refused."""
    shelf("environments", "create", "lab")
    words = ("--role", "viewer", "-e", "lab", "-e", "test_area", "--expires")
    shelf.environ["TZ"] = "EAST-5"
    made = shelf.json("keys", "create", "auditor", *words, "2099-01-31")
    ids = {each["id"] for each in shelf.json("environments", "list")}
    assert (made["role"], set(made["environments"]), made["expires"]) == ("viewer", ids, "2099-01-31T00:00:00.000000Z")
    assert shelf.json("keys", "create", "other", *words, "2099-01-31T02:00:00+02:00")["expires"] == made["expires"]
    for wrong in ("2020-01-31", "soon", "9999-12-31T23:00:00-05:00"):
        done = shelf("keys", "create", "wrong", *words, wrong)
        assert (done.returncode, "expires: must be" in done.stderr) == (1, True)


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
    assert filled("keys", "delete", "first administrator", "--yes").returncode == 1
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
    assert isobay.completed("is") == ["isos"]
    assert isobay.completed("keys create ci --role v") == ["viewer"]


def test_the_shell_completes_names(shelf: CommandLine) -> None:
    """Of ISOs and environments, wherever they are wanted; a name that a shell would take apart is not told."""
    shelf("environments", "create", "lab")
    shelf("isos", "edit", "ipxe", "--public")
    shelf("isos", "edit", "memtest86+x64", "--name", "ip; reboot")
    for typed in ("isos edit ip", "isos delete grub-rescue-cdrom ip", "isos files -e lab ip", "download ip"):
        assert shelf.completed(typed) == ["ipxe"]
    assert shelf.completed("isos show -e lab ") == ["ipxe"]
    assert shelf.completed("download --url http://example.org ip") == []
    for typed in ("isos list -e l", "isos edit ipxe --shared-with l", "keys create ci -e l", "environments edit l"):
        assert shelf.completed(typed) == ["lab"]
    assert shelf.completed("activity --environment ") == ["lab", "test_area"]


def test_completing_makes_and_says_nothing(isobay: CommandLine) -> None:
    """Where there is no data directory, or no such environment, nothing fits."""
    assert isobay.completed("isos show ip") == isobay.completed("isos list -e l") == []
    assert not isobay.data_dir.exists()
    isobay("environments", "create", "lab")
    assert isobay.completed("isos show -e nowhere ip") == []


def test_help_shows_every_group(isobay: CommandLine) -> None:
    """`python -m isobay --help` names the commands and the exit codes."""
    done = isobay("--help")
    assert done.returncode == 0
    for word in ("inspect", "add", "serve", "isos", "environments", "keys", "rules", "Exit codes"):
        assert word in done.stdout
