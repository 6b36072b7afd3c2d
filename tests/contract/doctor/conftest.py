"""Doctors, and servers for them to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hostile_source import HostileSource, hostile
from images import debian_like
from isobay.inspection import RulesShelf
from isobay.inspection.doctor import Doctor
from isobay.osdetect import Rules
from isobay.transfer.guard import AddressGuard
from isobay.transfer.network import Network
from sources import CertificateAuthority

LIMIT = 1 << 30


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Rules]:
    """Give the rules of this machine."""
    directory = tmp_path_factory.mktemp("rules")
    return RulesShelf(directory / "imported", directory / "cache").rules


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """An authority that the doctor trusts."""
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def doctor(rules: Callable[[], Rules], authority: CertificateAuthority) -> Doctor:
    """A doctor who may connect to this machine."""
    return Doctor(Network(AddressGuard.of("127.0.0.0/8"), ca_file=str(authority.file)), rules, LIMIT)


@pytest.fixture(scope="session")
def installer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image such as Debian's installer."""
    return debian_like(tmp_path_factory.mktemp("installer") / "debian.iso")


@pytest.fixture
def source() -> Iterator[HostileSource]:
    """Run a server that does what its pages say."""
    with hostile() as running:
        yield running
