"""A real libvirt for the tests: its daemons and guests in namespaces of their own, below a directory of their own."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from threading import Event
from time import monotonic
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from libvirt_namespace import COVERED
from processes import children
from servers import leave_out

PROGRAMS = ("libvirtd", "virtlogd", "virsh", "qemu-system-x86_64", "qemu-img", "unshare")
PATIENCE_SECONDS = 120  # guests are emulated, on machines with other work
LOOK_SECONDS = 0.05
QEMU_CONF = """
cgroup_controllers = []
security_driver = "none"
remote_display_port_min = {first}
remote_display_port_max = {last}
"""
CONSOLES = 100
LIBVIRTD_CONF = 'auth_unix_rw = "none"\nunix_sock_rw_perms = "0777"\nunix_sock_group = "root"\n'


class Libvirt:
    """A libvirt of the system that only knows what the tests made. ``uri`` leads to it."""

    def __init__(self, directory: Path, holder: subprocess.Popen[str]) -> None:
        self.uri = f"qemu+unix:///system?socket={directory}/run/libvirt-sock"
        self.directory = directory
        self._holder = holder

    def order(self, order: str, daemon: str = "libvirtd") -> None:
        """Start a daemon, or send it the signal of that name and wait for its end; guests run on meanwhile."""
        assert self._holder.stdin
        assert self._holder.stdout
        self._holder.stdin.write(f"{order} {daemon}\n")
        self._holder.stdin.flush()
        assert self._holder.stdout.readline() == "done\n", "the namespace of libvirt is gone"

    def virsh(self, *arguments: str) -> str:
        """What virsh says to a command, which must succeed."""
        done = self._asked(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def clear(self) -> None:
        """Take all guests away."""
        for guest in self.virsh("list", "--all", "--uuid").split():
            self._asked("destroy", guest)  # where it runs
            self._asked("undefine", "--nvram", guest)  # where that has not made it go
        assert not self.virsh("list", "--all", "--uuid")

    def _asked(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["virsh", "--quiet", "--connect", self.uri, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def domain(self, guest_id: str) -> Element:
        """The description of a domain."""
        return fromstring(self.virsh("dumpxml", guest_id))  # noqa: S314 -- written by libvirt

    @property
    def entering(self) -> list[str]:
        """What to put before a command that is to run on the machine of the daemons, with all that it starts."""
        (init,) = children(self._holder.pid)
        return ["nsenter", f"--target={init}", "--mount", "--pid", "--net", "--no-fork"]

    def data_dir(self) -> Path:
        """A new directory for an isobay, which the account of guests can get to."""
        directory = Path(mkdtemp(prefix="data-", dir=self.directory))
        directory.chmod(0o750)
        return directory


def until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something holds that nobody tells."""
    deadline = monotonic() + seconds
    while not holds():
        assert monotonic() < deadline, f"It took more than {seconds} seconds: {what}"
        Event().wait(LOOK_SECONDS)


def says(log: Path, text: str, times: int = 1) -> None:
    """Wait until a guest has said something on its serial line so many times."""

    def said() -> str:
        return log.read_bytes().decode(errors="replace") if log.exists() else ""

    try:
        until(lambda: said().count(text) >= times, f"the guest says {text!r}")
    except AssertionError as error:
        raise AssertionError(f"{error}; it said {said()[-2000:]!r}") from None


@contextmanager
def libvirt(*, alone: bool = False) -> Iterator[Libvirt]:
    """Run libvirt's daemons until the end of the block. ``alone``: with a network that none but its guests see."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        leave_out(f"{', '.join(missing)} missing: install Debian's libvirt-daemon-system, libvirt-clients, qemu-utils")
    if os.geteuid() != 0:
        leave_out("Only root may run a libvirt of its own in a namespace: run the tests as root")
    # Not pytest's directory: the account that guests run as may not pass it, and sockets need shorter names.
    directory = Path(mkdtemp(prefix="isobay-libvirt-"))
    directory.chmod(0o711)
    _furnish(directory)
    namespace = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *(["--net"] if alone else [])]
    command = [*namespace, sys.executable, str(Path(__file__).with_name("libvirt_namespace.py")), str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            started = Libvirt(directory, holder)
            started.order("start", "virtlogd")
            if alone:
                # The screens of its guests are shown there.
                subprocess.run([*started.entering, "ip", "link", "set", "lo", "up"], check=True)
            started.order("start", "libvirtd")
            yield started
        finally:
            holder.kill()
    shutil.rmtree(directory)


def _furnish(directory: Path) -> None:
    for covered, by in COVERED.items():
        shutil.copytree(covered, directory / by, ignore=_without_state) if by == "etc" else (directory / by).mkdir()
        Path(covered).mkdir(parents=True, exist_ok=True)
    with (directory / "etc" / "qemu.conf").open("a") as file:
        # Several libvirts that look for free ports in the same range take them from each other.
        first = 6000 + CONSOLES * random.SystemRandom().randrange(250)
        file.write(QEMU_CONF.format(first=first, last=first + CONSOLES - 1))
    (directory / "etc" / "libvirtd.conf").write_text(LIBVIRTD_CONF)


def _without_state(directory: str, _names: list[str]) -> set[str]:
    # Domains, networks and secrets of the machine's own libvirt are nobody's business here.
    return {"qemu", "secrets", "storage", "autostart"} & set(_names) if directory == "/etc/libvirt" else set()
