"""Guests for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from isobay.hypervisor import Drive, Guest, Hypervisor


def new_guest(hypervisor: Hypervisor, *images: Path | None, **changes: Any) -> Guest:
    """A guest with a disk and some images, which is not defined yet."""
    guest_id = str(uuid4())
    options: dict[str, Any] = {
        "name": "guest",
        "environment_id": str(uuid4()),
        "owner": "tests",
        "cpu_count": 1,
        "memory_mb": 128,
        "architecture": "x86_64",
        "firmware": "bios",
        "disk": hypervisor.make_disk(guest_id, 1),
        "drives": tuple(Drive(slot, image) for slot, image in enumerate(images)),
        "network": "none",
        "mac": "52:54:00:00:00:01",
    }
    return Guest(id=guest_id, **{**options, **changes})
