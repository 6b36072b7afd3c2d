"""A worker in a process of its own, which does what its standard input says and tells it on standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event

from isobay.catalog import Catalog, open_catalog
from isobay.tasks import Delivery, LostError, Runner, Work, open_delivery
from isobay.tasks.postgresql import PostgresqlDelivery


def quick_delivery(catalog: Catalog, data_dir: Path) -> Delivery:
    """The delivery for this database, noticing within seconds what it notices within half a minute in earnest."""
    if catalog.server:
        return PostgresqlDelivery(catalog, heartbeat_seconds=0.3, lost_seconds=2.0, look_seconds=0.3)
    return open_delivery(catalog, data_dir)


def obey(work: Work) -> None:
    """Report, or end the task, at each line of standard input."""
    _tell("began", work)
    for line in sys.stdin:
        try:
            if line == "succeed\n":
                work.succeed({"by": "process"}, "Done.")
                _tell("succeeded", work)
                return
            if line == "stumble\n":
                _tell("stumbles", work)
                raise ZeroDivisionError("the inside")
            work.report(message=line.strip(), bytes_done=1, bytes_total=2)
            _tell("reported", work)
        except LostError:
            _tell("lost", work)
            raise


def _tell(what: str, work: Work) -> None:
    print(what, work.task.attempt, flush=True)  # noqa: T201 -- the test reads it


if __name__ == "__main__":
    opened = open_catalog(sys.argv[1])
    Runner(opened, quick_delivery(opened, Path(sys.argv[2])), {"work": obey}, 1).run(Event())
