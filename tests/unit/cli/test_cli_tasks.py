"""``isobay tasks``."""

from __future__ import annotations

import json

from command_line import CommandLine

from sources import Nginx


def test_an_import_that_nobody_waits_for_is_a_pending_task(importing: CommandLine, mirror: Nginx) -> None:
    """--no-wait prints the ISO, its name and the task, says that no worker runs, and leaves the rest to one."""
    done = importing("import", mirror.url("/images/ipxe.iso"), "--no-wait")
    iso_id, name, task_id = done.stdout.rstrip("\n").split("\t")
    assert (done.returncode, name, "next runs" in done.stderr) == (0, "ipxe", True)
    [task] = importing.json("tasks", "list")
    assert (task["id"], task["subject"], task["status"]) == (task_id, iso_id, "PENDING")
    assert importing.json("tasks", "show", task_id[:8]) == task
    assert importing.json("isos", "show", iso_id)["status"] == "importing"
    assert importing.json("tasks", "follow", task_id)["status"] == "SUCCESS"
    assert importing("tasks", "list").stdout == ""
    assert importing.json("isos", "show", iso_id)["ready"] is True


def test_no_wait_answers_programs_as_the_api_does(importing: CommandLine, mirror: Nginx) -> None:
    """With --json it is the envelope of an asynchronous call."""
    told = importing.json("import", mirror.url("/images/ipxe.iso"), "--no-wait")
    assert (told["taskStatus"], told["data"]["status"]) == ("PENDING", "importing")
    assert importing.json("tasks", "show", told["taskId"])["subject"] == told["data"]["id"]


def test_a_cancelled_task_ends_and_its_import_can_be_tried_again(importing: CommandLine, mirror: Nginx) -> None:
    """Cancelling is asked for, and done by who takes the task up; a second time it is refused; a retry works."""
    told = importing.json("import", mirror.url("/images/ipxe.iso"), "--no-wait")
    task_id, iso_id = told["taskId"], told["data"]["id"]
    asked = importing("tasks", "cancel", task_id, "--json")
    assert json.loads(asked.stdout)["cancelled"] is True
    assert "ends when a worker next takes it up" in asked.stderr
    followed = importing("tasks", "follow", task_id)
    assert (followed.returncode, "The task was cancelled" in followed.stderr) == (1, True)
    assert importing("tasks", "cancel", task_id).returncode == 1
    assert importing.json("isos", "retry", iso_id)["ready"] is True


def test_all_lists_what_ended_too_newest_first(importing: CommandLine, mirror: Nginx) -> None:
    """Without --all only what goes on is listed; --limit says that there may be more."""
    first = importing.json("import", mirror.url("/images/ipxe.iso"))
    second = importing.json("import", mirror.url("/images/none.iso"), "--no-wait")
    importing("tasks", "cancel", second["taskId"])
    assert [task["subject"] for task in importing.json("tasks", "list")] == [second["data"]["id"]]
    subjects = [task["subject"] for task in importing.json("tasks", "list", "--all")]
    assert subjects == [second["data"]["id"], first["id"]]
    one = importing("tasks", "list", "--all", "--limit", "1")
    assert (one.stdout.count("\n"), one.stderr) == (1, "These are the newest 1.\n")


def test_a_task_on_a_terminal_is_a_panel_and_a_list_a_table(importing: CommandLine, mirror: Nginx) -> None:
    """People see percent and short ids, which the other commands take."""
    importing("import", mirror.url("/images/ipxe.iso"))
    _, listed = importing.on_terminal("tasks", "list", "--all")
    row = next(line for line in listed.splitlines() if "iso.import" in line).split()
    assert ("Message" in listed, row[3]) == (True, "100%")
    code, shown = importing.on_terminal("tasks", "show", row[0])
    assert (code, "is ready." in shown) == (0, True)


def test_an_import_on_its_way_is_listed_with_how_far_it_is(importing: CommandLine, mirror: Nginx) -> None:
    """On a terminal the status has percent; into a pipe it is the API's word alone."""
    importing("import", mirror.url("/images/ipxe.iso"), "--no-wait")
    assert "importing 0%" in importing.on_terminal("isos", "list")[1]
    assert importing("isos", "list").stdout.split("\t")[6] == "importing"


def test_a_task_that_is_not_there_is_not_found(importing: CommandLine, mirror: Nginx) -> None:
    """Unknown ids, and beginnings that are too short, end with 3."""
    task_id = importing.json("import", mirror.url("/images/ipxe.iso"), "--no-wait")["taskId"]
    assert importing("tasks", "show", "00000000-0000-0000-0000-000000000000").returncode == 3
    assert importing("tasks", "follow", task_id[:3]).returncode == 3
