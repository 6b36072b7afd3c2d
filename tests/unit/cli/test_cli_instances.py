"""``isobay instances``, on a real libvirt."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from command_line import CommandLine
from websockets.sync.client import connect

from hypervisors import Libvirt
from service import serving

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def machine(
    libvirt_server: Libvirt, packaged: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """Run over a shelf with two ISOs, whose zone is the libvirt; afterwards no instance is left."""
    run = CommandLine(libvirt_server.data_dir(), tmp_path_factory.mktemp("home"))
    run.environ["ISOBAY_LIBVIRT"] = libvirt_server.uri
    done = run("add", packaged["memtest"], packaged["ipxe"])
    assert done.returncode == 0, done.stderr
    yield run
    for instance in run.json("instances", "list"):
        assert run("instances", "delete", instance["id"], "--purge", "--yes").returncode == 0


def _create(run: CommandLine, name: str, *options: str) -> dict[str, object]:
    made = run.json("instances", "create", name, "--iso", "memtest86+x64", "--memory", "64", "--disk", "1", *options)
    assert isinstance(made, dict)
    return made


def test_an_instance_is_made_changed_and_taken_away(machine: CommandLine) -> None:
    """Every change is followed to its end, says what the instance is then, and takes names and beginnings of ids."""
    made = _create(machine, "first", "--cpus", "2", "--also", "ipxe", "--eject")
    assert (made["name"], made["state"], made["cpuCount"], made["ejectAfterInstall"]) == ("first", "Running", 2, True)
    assert [each["isoName"] for each in made["isos"]] == ["memtest86+x64", "ipxe"]
    short = made["id"][:8]
    columns = machine("instances", "list", "--search", "first").stdout.rstrip("\n").split("\t")
    assert columns == [made["id"], "first", "Running", "2", "64", "1", "memtest86+x64", made["ipAddress"]]
    assert machine("instances", "detach", short, "--slot", "1").stdout == f"{made['id']}\tfirst\tRunning\n"
    after = machine.json("instances", "attach", "first", "ipxe", "--slot", "3")
    assert [(each["slot"], each["isoName"]) for each in after["isos"]] == [(0, "memtest86+x64"), (3, "ipxe")]
    used = machine("isos", "delete", "ipxe", "--yes")
    assert (used.returncode, "first" in used.stderr) == (1, True)
    assert machine.json("instances", "stop", "first", "--force")["state"] == "Stopped"
    again = machine("instances", "stop", "first", "--force")
    assert (again.returncode, again.stdout, "Stopped" in again.stderr) == (1, "", True)
    renamed = machine("instances", "edit", "first", "--name", "second").stdout.splitlines()
    assert {"name\tsecond", "isos\t0: memtest86+x64", "isos\t3: ipxe", "ejectAfterInstall\tyes"} < set(renamed)
    assert machine.json("activity", "--operation", "instance.edit")[0]["details"] == {"changed": ["name"]}
    assert machine.json("instances", "start", "second")["state"] == "Running"
    assert machine.json("instances", "reboot", "second")["state"] == "Running"
    assert machine("instances", "delete", "second").returncode == 2
    assert machine.json("instances", "delete", "second", "--yes")["state"] == "Destroyed"
    assert machine.json("instances", "recover", "second")["state"] == "Stopped"
    assert machine.json("instances", "delete", "second", "--yes")["state"] == "Destroyed"
    assert machine("instances", "purge", "second", "--yes").stdout == f"{made['id']}\n"
    assert machine("instances", "show", "second").returncode == 3


def test_what_it_shows_is_saved_and_its_console_opens(machine: CommandLine, tmp_path: Path) -> None:
    """A picture goes into a file or a pipe; the console's URL is one of the service that runs."""
    made = _create(machine, "shown")
    picture = tmp_path / "shown.png"
    said = machine.json("instances", "screenshot", "shown", "--output", str(picture))
    assert (said["path"], picture.read_bytes()[:8]) == (str(picture), PNG)
    assert (int.from_bytes(picture.read_bytes()[16:20]), said["height"] > 0) == (said["width"], True)
    command = machine.command("instances", "screenshot", "shown")
    piped = subprocess.run(command, env=machine.environ, cwd=tmp_path, capture_output=True, check=True)
    assert (piped.stdout[:8], list(tmp_path.iterdir())) == (PNG, [picture])
    with serving(machine.data_dir, ISOBAY_LIBVIRT=machine.environ["ISOBAY_LIBVIRT"]) as service:
        said = machine("instances", "console", made["id"], ISOBAY_PUBLIC_URL=service.address)
        for _ in range(2):  # its ticket is good for a minute, however often it is used
            with connect(said.stdout.rstrip("\n")) as console:
                assert console.recv(30) == b"RFB 003.008\n"
        key = machine("keys", "create", "reader", "--role", "administrator").stdout.rstrip("\n")
        entries = service.get("/v1/activity_log", key, objectId=made["id"])
        assert [(each["operation"], each["keyName"]) for each in entries] == [
            ("instance.console", "operator"),
            ("instance.create", "operator"),
        ]


def test_an_instance_on_a_terminal_is_a_sentence_and_a_list_a_table(machine: CommandLine) -> None:
    """People see units and short ids, are asked before something is gone, and may say no."""
    made = _create(machine, "seen")
    code, shown = machine.on_terminal("instances", "list")
    row = next(line for line in shown.splitlines() if "seen" in line).split()
    assert (code, row[0], "64 MiB" in shown, "Address" in shown) == (0, made["id"][:8], True, True)
    assert "memtest86+x64" in machine.on_terminal("instances", "show", "seen")[1]
    code, shown = machine.on_terminal("instances", "delete", "seen", answer="n\n")
    assert (code, "Stop seen by force" in shown) == (1, True)
    code, shown = machine.on_terminal("instances", "stop", "seen", "--force")
    assert (code, "seen is Stopped" in shown) == (0, True)
    code, shown = machine.on_terminal("instances", "start", "seen", "--no-wait")
    assert (code, "seen is Starting" in shown) == (0, True)
    task_id = shown.split("isobay tasks follow ")[1].split("`")[0]
    assert machine.json("tasks", "follow", task_id)["status"] == "SUCCESS"


def test_the_shell_completes_names_of_instances(machine: CommandLine) -> None:
    """Wherever one is wanted, also while its host does not answer; and those of ISOs where one goes into a drive."""
    _create(machine, "complete")
    for words in ("show", "edit", "start", "stop -e test_area", "delete --purge", "screenshot", "console"):
        assert machine.completed(f"instances {words} comp") == ["complete"]
    for words in ("create new --iso", "create new --iso ipxe --also", "attach complete"):
        assert machine.completed(f"instances {words} mem") == ["memtest86+x64"]
    with_no_host = CommandLine(machine.data_dir, machine.data_dir.parent)
    with_no_host.environ["ISOBAY_LIBVIRT"] = "off"
    assert with_no_host.completed("instances recover comp") == ["complete"]
    assert with_no_host.completed("instances show -e nowhere comp") == []


def test_what_cannot_be_made_is_told(shelf: CommandLine) -> None:
    """Wrong values by their options, no such ISO with 3, and no host with what to do."""
    shelf.environ["ISOBAY_LIBVIRT"] = "off"
    values = ("--cpus", "0", "--memory", "1", "--disk", "0", *("--also", "ipxe") * 4, "--firmware", "none")
    wrong = shelf("instances", "create", "x", "--iso", "ipxe", *values)
    assert wrong.returncode == 1
    for option in ("also", "cpus", "disk", "firmware", "memory"):
        assert f" {option}: " in wrong.stderr
    none = shelf("instances", "create", "x", "--iso", "ipxe", "--offering", "none such")
    assert (none.returncode, "there are " in none.stderr, "Custom" in none.stderr) == (3, True, True)
    assert shelf("instances", "create", "x", "--iso", "none such").returncode == 3
    refused = shelf("instances", "create", "x", "--iso", "ipxe")
    assert (refused.returncode, "ISOBAY_LIBVIRT" in refused.stderr) == (1, True)
    assert shelf("instances", "list").returncode == 1


def test_nobody_need_wait(machine: CommandLine) -> None:
    """--no-wait prints the instance, its name and the task, and answers programs as the API does."""
    done = machine("instances", "create", "later", "--iso", "ipxe", "--disk", "1", "--no-wait")
    instance_id, name, task_id = done.stdout.rstrip("\n").split("\t")
    assert (name, "next runs" in done.stderr) == ("later", True)
    task = machine.json("tasks", "show", task_id)
    assert (task["kind"], task["subject"], task["status"]) == ("instance.create", instance_id, "PENDING")
    busy = machine("instances", "stop", "later", "--no-wait")
    assert (busy.returncode, task_id in busy.stderr) == (1, True)
    assert machine.json("tasks", "follow", task_id)["status"] == "SUCCESS"
    told = json.loads(machine("instances", "stop", "later", "--force", "--no-wait", "--json").stdout)
    assert (told["taskStatus"], told["data"]["name"]) == ("PENDING", "later")
    assert machine.json("tasks", "follow", told["taskId"])["status"] == "SUCCESS"
