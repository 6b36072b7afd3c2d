"""The hosts that instances are tested on, and images for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from rack import Rack, built_on

from images import debian_like, image
from isobay.hypervisor import Hypervisor
from isobay.hypervisor.memory import MemoryHypervisor
from isobay.hypervisor.opening import open_hypervisor


@pytest.fixture(scope="session")
def bootable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image such as Debian's, which firmware boots and which then does nothing."""
    return debian_like(tmp_path_factory.mktemp("images") / "bootable.iso")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image that does not boot."""
    return image(tmp_path_factory.mktemp("images") / "data.iso", {"driver.inf": "for a disk"})


@pytest.fixture
def twin() -> MemoryHypervisor:
    """Give a host in memory, whose guests a test can move."""
    return MemoryHypervisor()


@pytest.fixture
def unattended(twin: MemoryHypervisor, tmp_path: Path) -> Iterator[Rack]:
    """Build an isobay on that host, where nobody works."""
    rack = built_on(twin, tmp_path / "data", instance_stop_seconds="1")
    yield rack
    rack.built.catalog.close()


@pytest.fixture
def rack(unattended: Rack) -> Iterator[Rack]:
    """The same, with a worker."""
    with unattended.working():
        yield unattended


@pytest.fixture(params=["memory", "libvirt"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rack]:
    """Build an isobay with a worker on each kind of host in turn."""
    hypervisor: Hypervisor = MemoryHypervisor()
    data_dir = tmp_path / "data"
    if request.param == "libvirt":
        server = request.getfixturevalue("libvirt_server")
        data_dir = server.data_dir()
        built = built_on(open_hypervisor(server.uri, str(uuid4()), data_dir), data_dir)
    else:
        built = built_on(hypervisor, data_dir)
    with built.working():
        yield built
        for each in built.all():
            built.do("destroy", each, purge=True)
    built.built.catalog.close()
