"""What an import is refused by that nothing has room for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from hostile_source import HostileSource, Page
from service import serving

HUGE = 1 << 55


@pytest.mark.parametrize(("quota", "code"), [(1 << 30, 2016), (0, 5001)])
def test_an_import_hears_of_its_environment_s_quota_before_the_disk(
    tmp_path: Path, options: dict[str, str], source: HostileSource, quota: int, code: int
) -> None:
    """What the disk has left others determine too: it is told where nothing else refuses the size that is announced."""
    source.pages["/huge.iso"] = Page(bytes(1 << 20), length_lie=HUGE)
    more: dict[str, Any] = {"ISOBAY_MAX_ISO_BYTES": str(1 << 60), "ISOBAY_ENVIRONMENT_BYTES": str(quota)}
    with serving(tmp_path / "data", **{**options, **more}) as service:
        assert Desk(service).fail(url=source.url("/huge.iso")).code == code
