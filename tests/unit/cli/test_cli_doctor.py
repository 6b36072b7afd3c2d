"""``isobay doctor``, where much is there, and where something lacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from command_line import CommandLine

from hypervisors import Libvirt


@pytest.fixture
def machine(libvirt_server: Libvirt, packaged: Mapping[str, Path], tmp_path: Path) -> CommandLine:
    """Run over a shelf whose zone is the libvirt."""
    run = CommandLine(libvirt_server.data_dir(), tmp_path / "home")
    run.environ["ISOBAY_LIBVIRT"] = libvirt_server.uri
    assert run("add", packaged["ipxe"]).returncode == 0
    return run


def verdicts(run: CommandLine, code: int) -> dict[str, tuple[str, str]]:
    """What it finds, by what it is about: the last of each, with its verdict."""
    done = run("doctor")
    assert done.returncode == code, done.stdout + done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return {about: (verdict, message) for verdict, about, message in rows}


def test_a_host_that_can_all_is_healthy(machine: CommandLine, libvirt_server: Libvirt) -> None:
    """Where libvirt runs guests, nothing is a problem, and every sentence says what there is, or what to do."""
    found = verdicts(machine, 0)
    assert found.keys() >= {
        "disk",
        "database",
        "rules",
        "instances",
        "libvirt",
        "virtlogd",
        "emulator",
        "kvm",
        "network",
    }
    assert found["libvirt"][0] == "ok"
    assert libvirt_server.uri in found["libvirt"][1]
    assert found["virtlogd"][0] == "ok"
    assert found["network"] == ("notice", found["network"][1])
    assert "virsh net-start default" in found["network"][1]
    told = machine.json("doctor")
    assert isinstance(told, dict)
    assert told["healthy"] is True
    assert {each["verdict"] for each in told["findings"]} <= {"ok", "notice"}


def test_a_host_without_virtlogd_is_a_problem(machine: CommandLine, libvirt_server: Libvirt) -> None:
    """Without virtlogd no guest starts, and it says so."""
    libvirt_server.order("SIGTERM", "virtlogd")
    try:
        verdict, message = verdicts(machine, 1)["virtlogd"]
    finally:
        libvirt_server.order("start", "virtlogd")
    assert (verdict, "virtlogd -d" in message) == ("problem", True)


@pytest.mark.parametrize(
    ("uri", "code", "about", "said"),
    [
        ("off", 0, "instances", "no host"),
        ("qemu+unix:///system?socket=/nowhere/libvirt-sock", 1, "libvirt", "start libvirtd and virtlogd"),
    ],
    ids=["off", "away"],
)
def test_hosts_are_a_problem_only_where_they_are_wanted(
    machine: CommandLine, uri: str, code: int, about: str, said: str
) -> None:
    """A host that does not answer is a problem, with what to start; having none on purpose is none."""
    machine.environ["ISOBAY_LIBVIRT"] = uri
    assert said in verdicts(machine, code)[about][1]


def test_a_missing_data_directory_is_said(tmp_path: Path) -> None:
    """Without a data directory there is nothing to look at, and nothing is made."""
    run = CommandLine(tmp_path / "none", tmp_path / "home")
    done = run("doctor")
    assert (done.returncode, "holds no isobay data" in done.stderr) == (1, True)
    assert not (tmp_path / "none").exists()


def test_a_database_that_does_not_answer_is_a_problem(machine: CommandLine) -> None:
    """A database that is not there does not hide what else is known."""
    machine.environ["ISOBAY_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    found = verdicts(machine, 1)
    assert (found["database"][0], found["disk"][0] != "problem") == ("problem", True)
