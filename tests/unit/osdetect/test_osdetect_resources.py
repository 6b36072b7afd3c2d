"""What a system needs is read out of the rules, for its architecture, and inherited where they say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from isobay.osdetect import Resources, Rules, load_rules, resources_of

GIB = 1 << 30


def test_real_rules_recommend(debian_rules: Rules) -> None:
    """Debian's own rules name memory, disk and processors for Debian 11, the latter in its minimum alone."""
    needs = resources_of(debian_rules, "http://debian.org/debian/11", "x86_64")
    assert needs == Resources(cpus=1, memory=GIB, disk=20 * GIB)


def test_what_inherits_has_what_it_derives_from(debian_rules: Rules) -> None:
    """Rocky 8.6 says nothing but that it inherits, and needs what Rocky 8 needs."""
    needs = resources_of(debian_rules, "http://rockylinux.org/rocky/8.6", "x86_64")
    assert needs.memory
    assert needs == resources_of(debian_rules, "http://rockylinux.org/rocky/8", "x86_64")


def test_an_architecture_wins_over_all(database: Callable[..., Path]) -> None:
    """What is said for the architecture counts before what is said for all, each amount for itself."""
    body = (
        '<resources arch="all"><recommended><ram>1</ram><storage>2</storage></recommended></resources>'
        '<resources arch="aarch64"><recommended><ram>3</ram></recommended></resources>'
    )
    rules = load_rules([database("rules", {"os/1.xml": ("http://x/1", body)})])
    assert resources_of(rules, "http://x/1", "aarch64") == Resources(memory=3, disk=2)
    assert resources_of(rules, "http://x/1", "x86_64") == Resources(memory=1, disk=2)


@pytest.mark.parametrize("os_id", ["", "http://x/none", "http://x/1"], ids=["unnamed", "unknown", "circle"])
def test_what_nobody_says_is_nothing(database: Callable[..., Path], os_id: str) -> None:
    """A system that is unknown, or that derives from itself without an amount, needs nothing that is known."""
    circle = {
        "os/1.xml": ("http://x/1", '<derives-from id="http://x/2"/>'),
        "os/2.xml": ("http://x/2", '<derives-from id="http://x/1"/>'),
    }
    rules = load_rules([database("rules", circle)])
    assert resources_of(rules, os_id, "x86_64") == Resources()
