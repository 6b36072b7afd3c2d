"""What the endpoints reach: made once, in ``app.py``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from isobay.access import Connections, Door, Environments, KeyRing, Records
from isobay.settings import Settings
from isobay.telemetry.metrics import Metrics


class Services(Struct, frozen=True):
    """The doors behind which everything lies."""

    settings: Settings
    door: Door
    environments: Environments
    connections: Connections
    keys: KeyRing
    records: Records
    metrics: Metrics
    threads: ThreadPoolExecutor
    is_ready: Callable[[], bool]
