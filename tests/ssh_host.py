"""Another machine for the tests: a libvirt in namespaces of its own, which a real sshd there leads to."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

from hypervisors import Libvirt, libvirt, until
from processes import children, lives
from servers import free_port, leave_out

ADDRESS = "127.0.0.2"  # not 127.0.0.1, which isobay takes for its own machine
SSHD = Path("/usr/sbin/sshd")
SSHD_CONF = """
ListenAddress {address}:{port}
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
"""
SSH = """#!/bin/sh
exec ssh -F none -o IdentitiesOnly=yes -o GlobalKnownHostsFile=none -o UserKnownHostsFile={known} "$@"
"""


class SshHost:
    """A machine that is reached by SSH alone; ``directory`` is seen there as here."""

    def __init__(self, libvirt: Libvirt, directory: Path, port: int) -> None:
        self.libvirt = libvirt
        self.directory = directory
        self.port = port
        self._sshd: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """What leads to its libvirt."""
        return self.uri_with()

    def uri_with(self, *, key: str = "user", known: str = "known", port: int = 0) -> str:
        """The same with the private key, and the hosts that are known, from other files, or to another port."""
        ssh = self.directory / f"ssh-{known}"
        ssh.write_text(SSH.format(known=self.directory / known))
        ssh.chmod(0o755)
        options = urlencode({"keyfile": self.directory / key, "command": ssh}, safe="/")
        return f"qemu+ssh://root@{ADDRESS}:{port or self.port}/system?{options}"

    def images(self) -> list[str]:
        """The names of the images that isobays sent there, and of the marks that they are whole."""
        found = (self.libvirt.directory / "lib" / "isobay").glob("*/*+*")
        return sorted(path.name for path in found)

    def start(self) -> None:
        """Let sshd listen."""
        command = [*self.libvirt.entering, SSHD, "-D", "-E", self.directory / "log", "-f", self.directory / "conf"]
        self._sshd = subprocess.Popen(command)
        until(self._listens, "sshd listens")

    def stop(self) -> None:
        """Let sshd end, and all who are logged in with it."""
        assert self._sshd
        self.cut()
        self._sshd.terminate()
        self._sshd.wait()

    def send(self, number: signal.Signals) -> None:
        """Send sshd a signal."""
        assert self._sshd
        self._sshd.send_signal(number)

    def cut(self) -> None:
        """End all that are logged in, at once; sshd goes on listening."""
        assert self._sshd
        cut = children(self._sshd.pid)
        for process in cut:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        until(lambda: not any(map(lives, cut)), "who was logged in is not any more")

    def _listens(self) -> bool:
        with socket.socket() as caller:
            return caller.connect_ex((ADDRESS, self.port)) == 0


@contextmanager
def ssh_host() -> Iterator[SshHost]:
    """Run such a machine until the end of the block."""
    if not (SSHD.exists() and shutil.which("ssh") and shutil.which("nsenter")):
        leave_out("sshd or ssh is missing: install Debian's openssh-server")
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on this empty directory
    with libvirt() as there:
        directory = there.directory / "ssh"
        directory.mkdir(mode=0o755)
        for name in ("host", "user", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
        host = SshHost(there, directory, free_port())
        (directory / "conf").write_text(SSHD_CONF.format(address=ADDRESS, port=host.port, directory=directory))
        name = f"[{ADDRESS}]:{host.port}"
        for known, key in (("known", "host"), ("changed", "stranger")):
            kind, public, *_ = (directory / f"{key}.pub").read_text().split()
            (directory / known).write_text(f"{name} {kind} {public}\n")
        (directory / "nobody").touch()
        host.start()
        try:
            yield host
        finally:
            host.stop()
