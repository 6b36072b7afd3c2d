"""Work that outlives a request and a crash.

The task's row in the catalogue is the truth. A ``Delivery`` brings the ids of pending tasks to a
``Runner``, again and again until each has ended; a ``Handler`` does the work of one kind of task. What it
is given, ``Work``, is one attempt: when another attempt has begun, the earlier one can write nothing more.
Work of hours must not hold up work of seconds: each ``Lane`` has a delivery and a runner of its own.
"""

from __future__ import annotations

from pathlib import Path

from isobay.catalog import Catalog
from isobay.catalog.tasks import EVERY, Lane
from isobay.tasks.embedded import EmbeddedDelivery
from isobay.tasks.interface import Delivery
from isobay.tasks.postgresql import PostgresqlDelivery
from isobay.tasks.runner import Handler, Runner, Runners
from isobay.tasks.work import LostError, StoppedError, Work

__all__ = ["Delivery", "Handler", "Lane", "LostError", "Runner", "Runners", "StoppedError", "Work", "open_delivery"]


def open_delivery(catalog: Catalog, data_dir: Path, lane: Lane = EVERY) -> Delivery:
    """The delivery of a lane that suits the catalogue's database."""
    return PostgresqlDelivery(catalog, lane) if catalog.server else EmbeddedDelivery(catalog, data_dir, lane)
