"""What the endpoints reach: made once, in ``app.py``."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from isobay.access import Connections, Door, Environments, KeyRing, Records
from isobay.http.responses import Streams
from isobay.http.threads import Threads
from isobay.settings import Settings
from isobay.telemetry.metrics import Metrics
from isobay.transfer.links import Links
from isobay.transfer.tickets import Tickets


class Services(Struct, frozen=True):
    """The doors behind which everything lies."""

    settings: Settings
    door: Door
    environments: Environments
    connections: Connections
    keys: KeyRing
    records: Records
    metrics: Metrics
    threads: Threads
    slow_threads: Threads
    streams: Streams
    readers: Threads
    downloads: Streams
    links: Links
    writers: Threads
    uploads: Streams
    host_threads: Threads
    consoles: Streams
    tickets: Tickets
    is_ready: Callable[[], bool]
