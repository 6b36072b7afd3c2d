"""Guests on another machine: it sees nothing of isobay's directory, and is reached through a program as by SSH."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from new_guest import new_guest

from guests import FIRST_LINE
from hypervisors import Libvirt, says
from isobay.errors import HypervisorError
from isobay.hypervisor import Hypervisor
from isobay.hypervisor.opening import open_hypervisor

CARRIER = """#!{python}
import os, socket, threading

def carry(taken, given):
    while piece := os.read(taken, 65536):
        os.write(given, piece)
    os._exit(0)

other = socket.socket(socket.AF_UNIX)
other.connect("{socket}")
threading.Thread(target=carry, args=(0, other.fileno())).start()
carry(other.fileno(), 1)
"""


@pytest.fixture
def carried_uri(libvirt_server: Libvirt, tmp_path: Path) -> str:
    """The libvirt, as on a host called elsewhere: what SSH would start there is started here."""
    program = tmp_path / "carry"
    program.write_text(CARRIER.format(python=sys.executable, socket=libvirt_server.uri.partition("=")[2]))
    program.chmod(0o755)
    return f"qemu+ext://elsewhere/system?command={program}"


def test_images_are_sent_there_once(carried_uri: str, libvirt_server: Libvirt, guest_iso: Path, tmp_path: Path):
    """An image that the host cannot see is sent once, shown under its own path, and boots; consoles are refused."""
    installation = str(uuid4())
    image = tmp_path / "objects" / "guest.iso"
    image.parent.mkdir(mode=0o700)
    shutil.copyfile(guest_iso, image)
    there = open_hypervisor(carried_uri, installation, tmp_path)
    storage = libvirt_server.directory / "lib" / "isobay" / installation
    guest = new_guest(there, image, memory_mb=256)
    there.define(guest)
    there.insert(guest.id, 1, image)
    assert len(list(storage.glob("????????-*+objects+guest.iso"))) == 1
    seen = there.get(guest.id)
    assert seen
    assert [drive.image for drive in seen.drives] == [image, image, None, None]
    there.start(guest.id)
    says(storage / f"{guest.id}.log", FIRST_LINE)
    assert there.screen(guest.id).width > 0
    with pytest.raises(HypervisorError, match="another machine"):
        there.console(guest.id)
    there.remove(guest.id)
    assert there.all() == {}
    assert not list(storage.glob(f"{guest.id}.*"))


def test_what_came_by_halves_is_sent_again(
    carried_uri: str, libvirt_server: Libvirt, new_image: Callable[[str], Path], real: Hypervisor
):
    """An image whose sending was cut off is not shown to a guest; it is sent anew."""
    installation, image = str(uuid4()), new_image("whole")
    there = open_hypervisor(carried_uri, installation, image.parent)
    storage = libvirt_server.directory / "lib" / "isobay" / installation
    there.define(new_guest(there, image))
    for mark in storage.glob("whole+*"):
        libvirt_server.virsh("vol-delete", str(mark).replace(str(libvirt_server.directory / "lib"), "/var/lib/libvirt"))
    (first,) = storage.glob(f"*+{image.name}")
    again = new_guest(there, image)
    there.define(again)
    (_, second) = sorted(storage.glob(f"????????-*+{image.name}"), key=lambda found: found != first)
    assert libvirt_server.domain(again.id).findtext("uuid") == again.id
    assert second.name in libvirt_server.virsh("dumpxml", again.id)
    assert second.read_bytes() == image.read_bytes()
    assert real.all() == {}
