"""Guests on another machine: it sees nothing of isobay's directory, and is reached by SSH."""

from __future__ import annotations

import filecmp
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from new_guest import new_guest

from hypervisors import until
from isobay.errors import HypervisorError, UnavailableError
from isobay.hypervisor import Hypervisor
from isobay.hypervisor.opening import open_hypervisor
from ssh_host import SshHost, ssh_host

LARGE_BYTES = 256 << 20
ASKED = 12
PATIENCE_SECONDS = 60
OTHER = """
<domain type="qemu"><name>other</name><memory>1024</memory><os><type>hvm</type></os>
<devices>
<disk type="file" device="cdrom"><source file="{image}"/><target dev="sda" bus="sata"/><readonly/></disk>
</devices></domain>
"""


@pytest.fixture(scope="module")
def ssh() -> Iterator[SshHost]:
    """Run another machine."""
    with ssh_host() as host:
        yield host


@pytest.fixture
def elsewhere(ssh: SshHost) -> Iterator[SshHost]:
    """The same, without guests and images."""
    yield ssh
    ssh.libvirt.clear()


class There:
    """An isobay whose guests run there; its directory is closed to all others."""

    def __init__(self, host: SshHost, data_dir: Path) -> None:
        installation = str(uuid4())
        self.hypervisor = open_hypervisor(host.uri, installation, data_dir)
        self.libvirt = host.libvirt
        self.directory = host.libvirt.directory / "lib" / "isobay" / installation
        self._objects = data_dir / "objects"
        self._objects.mkdir(mode=0o700)

    def image(self, name: str, size: int = 4096) -> Path:
        """A new image."""
        path = self._objects / name
        with path.open("wb") as file:
            file.write(name.encode())
            file.truncate(size)
        return path

    def sent(self) -> list[str]:
        """The names of what was sent there."""
        return sorted(path.name for path in self.directory.glob("*+*"))

    def path(self, name: str) -> str:
        """What a file is called on that machine."""
        return f"/var/lib/libvirt/isobay/{self.directory.name}/{name}"

    def lose(self, name: str) -> None:
        """Delete a file, as the operator of that machine does."""
        self.libvirt.virsh("vol-delete", self.path(name))


@pytest.fixture
def there(elsewhere: SshHost, tmp_path: Path) -> There:
    """Open an isobay on the other machine."""
    return There(elsewhere, tmp_path)


def test_images_are_sent_there_once(there: There):
    """An image that the host cannot see is sent once, and shown under its own path; consoles are refused."""
    image, host = there.image("system.iso"), there.hypervisor
    guest = new_guest(host, image)
    host.define(guest)
    host.insert(guest.id, 1, image)
    assert there.sent() == ["image+objects+system.iso", "whole+image+objects+system.iso"]
    assert (there.directory / "image+objects+system.iso").read_bytes() == image.read_bytes()
    seen = host.get(guest.id)
    assert seen
    assert [drive.image for drive in seen.drives] == [image, image, None, None]
    host.start(guest.id)
    assert host.screen(guest.id).width > 0
    with pytest.raises(HypervisorError, match="another machine"):
        host.console(guest.id)
    host.remove(guest.id)
    assert host.all() == {}
    assert not list(there.directory.glob(f"{guest.id}.*"))


def test_what_came_by_halves_is_sent_again(there: There):
    """An image whose sending was cut off is sent anew to the same place before a guest sees it; a lost one too."""
    image, host = there.image("cut.iso"), there.hypervisor
    host.define(new_guest(host, image))
    name, mark = there.sent()
    copy = there.directory / name
    copy.write_bytes(bytes(4096))
    host.define(new_guest(host, image))
    assert copy.read_bytes() == bytes(4096), "what is whole is not sent again"
    there.lose(mark)
    host.define(new_guest(host, image))
    assert copy.read_bytes() == image.read_bytes()
    there.lose(name)
    host.define(new_guest(host, image))
    assert copy.read_bytes() == image.read_bytes()
    assert there.sent() == [name, mark]


def test_an_image_is_sent_past_a_cut(there: There, elsewhere: SshHost):
    """A connection that breaks while an image is sent is opened again by itself, and all of the image comes there."""
    image, host = there.image("large.iso", LARGE_BYTES), there.hypervisor
    guest = new_guest(host, image)
    name = "image+objects+large.iso"
    with ThreadPoolExecutor(1) as threads:
        defining = threads.submit(host.define, guest)
        until((there.directory / name).exists, "sending begins")
        elsewhere.cut()
        assert there.sent() == [name], "it came to its end before the cut"
        defining.result(PATIENCE_SECONDS)
    assert there.sent() == [name, f"whole+{name}"]
    assert filecmp.cmp(there.directory / name, image, shallow=False)


@pytest.mark.parametrize("where", ["stopped", "running", "next start"])
def test_images_go_when_nobody_has_them(there: There, where: str):
    """The copy of an image that is gone here is deleted there when no guest has it, now or later; nothing else is."""
    gone, kept, host = there.image("gone.iso"), there.image("kept.iso"), there.hypervisor
    full = new_guest(host, gone, kept)
    empty = msgspec.structs.replace(full, drives=())
    if where == "next start":
        host.define(empty)
        host.start(full.id)
    host.define(full)
    if where == "running":
        host.start(full.id)
        host.define(empty)
    gone.unlink()
    others = {path.name for path in there.directory.iterdir()} - set(there.sent())
    assert host.sweep() == 0
    host.stop(full.id, force=True)
    host.define(empty)
    assert host.sweep() == 1
    assert host.sweep() == 0
    assert there.sent() == ["image+objects+kept.iso", "whole+image+objects+kept.iso"]
    assert {path.name for path in there.directory.iterdir()} - set(there.sent()) == others


def test_images_in_guests_of_others_stay(there: There):
    """An image that somebody put into a guest of theirs is not deleted; one that came by halves is, and lone marks."""
    lent, cut, lost = (there.image(f"{name}.iso") for name in ("lent", "cut", "lost"))
    host = there.hypervisor
    guest = new_guest(host, lent, cut, lost)
    host.define(guest)
    file = there.libvirt.directory / "ssh" / "other.xml"
    file.write_text(OTHER.format(image=there.path("image+objects+lent.iso")))
    there.libvirt.virsh("define", str(file))
    there.lose("whole+image+objects+cut.iso")
    there.lose("image+objects+lost.iso")
    host.remove(guest.id)
    for image in (lent, cut, lost):
        image.unlink()
    assert host.sweep() == 2
    assert there.sent() == ["image+objects+lent.iso", "whole+image+objects+lent.iso"]
    there.libvirt.virsh("undefine", "other")
    assert host.sweep() == 1
    assert there.sent() == []


def test_nothing_was_sent_yet(there: There):
    """A host that nothing was sent to is left without a place for it."""
    assert there.hypervisor.sweep() == 0
    assert not there.directory.exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"known": "nobody"}, "ssh does not know the key of the host, .* log in there once"),
        ({"known": "changed"}, "ssh does not know the key of the host, or knows another: compare it"),
        ({"key": "stranger"}, "add its public key to ~/.ssh/authorized_keys of the user that the URI names"),
        ({"key": "missing"}, "add its public key to ~/.ssh/authorized_keys of the user that the URI names"),
        ({"port": 1}, "Connection refused.* See that the name and port in the URI are right"),
    ],
    ids=["unknown host", "another host", "key refused", "no key", "nobody listens"],
)
def test_who_cannot_get_there_is_told_why(elsewhere: SshHost, tmp_path: Path, change: dict[str, Any], told: str):
    """What keeps isobay from a host is said at once, with what to do about it; nobody is asked at the terminal."""
    host = open_hypervisor(elsewhere.uri_with(**change), str(uuid4()), tmp_path)
    with pytest.raises(UnavailableError, match=told):
        host.host()


def test_a_host_that_hangs_is_waited_for_once(there: There, elsewhere: SshHost):
    """Who asks a host that says nothing waits some seconds; who asks after that is told at once, until it answers."""
    elsewhere.send(signal.SIGSTOP)
    try:
        with pytest.raises(UnavailableError, match=r"does not answer\. See whether the host can be reached by ssh"):
            there.hypervisor.all()
        with ThreadPoolExecutor(1) as threads:
            for asked in [threads.submit(there.hypervisor.all) for _ in range(ASKED)]:
                with pytest.raises(UnavailableError, match="does not answer"):
                    asked.result(PATIENCE_SECONDS)
    finally:
        elsewhere.send(signal.SIGCONT)
    until(lambda: answers(there.hypervisor), "it answers")


def test_a_host_comes_back(there: There, elsewhere: SshHost):
    """A broken connection is opened again unseen; a host that is away says so, and is there again by itself."""
    host = there.hypervisor
    guest = new_guest(host)
    host.define(guest)
    elsewhere.cut()
    assert list(host.all()) == [guest.id]
    elsewhere.stop()
    with pytest.raises(UnavailableError, match=r"cannot be reached: .*Connection refused"):
        host.get(guest.id)
    elsewhere.start()
    assert list(host.all()) == [guest.id]


def test_changes_are_told_past_a_cut(there: There, elsewhere: SshHost):
    """Who watches a host is told of changes again after the connection broke."""
    host, changes = there.hypervisor, SimpleQueue[str]()
    guest = new_guest(host)
    end = host.watch(lambda change: changes.put(change.id))
    host.define(guest)
    assert changes.get(timeout=PATIENCE_SECONDS) == guest.id
    elsewhere.cut()
    later = new_guest(host)
    host.define(later)

    def told() -> bool:
        there.libvirt.virsh("start", later.id)
        there.libvirt.virsh("destroy", later.id)
        return not changes.empty()

    until(told, "it is told of changes")
    end()


def answers(host: Hypervisor) -> bool:
    """Whether a host answers."""
    try:
        return host.all() == {}
    except UnavailableError:
        return False
