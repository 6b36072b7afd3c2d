"""The hosts under test: the twin in memory, and a real libvirt."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import pytest

from hypervisors import Libvirt
from images import image
from isobay.hypervisor import Hypervisor
from isobay.hypervisor.memory import MemoryHypervisor
from isobay.hypervisor.opening import open_hypervisor


@pytest.fixture
def data_dir(libvirt_server: Libvirt) -> Path:
    """The directory of an isobay on the machine of the libvirt."""
    return libvirt_server.data_dir()


@pytest.fixture
def real(libvirt_server: Libvirt, data_dir: Path) -> Hypervisor:
    """The libvirt, as an isobay of its own."""
    return open_hypervisor(libvirt_server.uri, str(uuid4()), data_dir)


@pytest.fixture(params=["memory", "libvirt"])
def hypervisor(request: pytest.FixtureRequest) -> Hypervisor:
    """Each host in turn."""
    return MemoryHypervisor() if request.param == "memory" else request.getfixturevalue("real")


@pytest.fixture
def new_image() -> Iterator[Callable[..., Path]]:
    """Make an image with one empty file of this name, in a directory that the account of guests may pass."""
    directory = Path(mkdtemp(prefix="isobay-images-"))
    directory.chmod(0o711)
    yield lambda name: image(directory / f"{uuid4()}.iso", {name: ""})
    shutil.rmtree(directory)
