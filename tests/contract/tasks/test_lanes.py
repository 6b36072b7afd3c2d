"""Work of one lane does not wait for the work of another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from isobay.tasks import Lane, Runner, Runners, open_delivery

QUICK = frozenset({"quick"})
PATIENCE_SECONDS = 60


def test_a_full_lane_holds_up_no_other(desk, tmp_path):
    """While all that one lane may do at once lasts, a task of another lane is done, and the next of its own is not."""
    begun, stop = Event(), Event()

    def last(work):
        begun.set()
        stop.wait(PATIENCE_SECONDS)
        work.succeed({}, "It lasted.")

    def end(work):
        work.succeed({}, "It was quick.")

    lanes = (Lane("", QUICK, takes_rest=True), Lane("quick", QUICK))
    slow, quick = (open_delivery(desk.catalog, tmp_path, lane) for lane in lanes)
    runners = Runners(
        Runner(desk.catalog, slow, {"work": last}, 1),
        Runner(desk.catalog, quick, {"quick": end}, 1),
    )
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(runners.run, stop)
        try:
            slow.send(desk.add("work", send=False))
            assert begun.wait(PATIENCE_SECONDS)
            waiting, asked = desk.add("work", send=False), desk.add("quick", send=False)
            slow.send(waiting)
            quick.send(asked)
            assert desk.ended(asked).message == "It was quick."
            assert not desk.get(waiting).ended
        finally:
            stop.set()
        running.result(PATIENCE_SECONDS)
