"""Tasks: told to both generations of clients, cancelled, and followed as events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from threading import Event
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
from following import begin, ended, error_of, events

from isobay.app import STREAMS
from isobay.errors import UnavailableError
from isobay.http.threads import Threads
from service import SEED
from sources import nginx

NOWHERE = "https://example.org/a.iso"
POLL_SECONDS = 0.1  # the clients wait a second, which shows nothing more


@pytest.fixture(scope="module")
def pending(waiting) -> str:
    """A task that stays as it is."""
    return begin(waiting, NOWHERE)[1]


def javascript_client(get: Callable[[str], Any], answer: Any) -> Any:
    """What cloudmc-services-js-client makes of an answer: it waits until there is a result, or throws.

    It reads ``taskId``, ``taskStatus`` and ``data`` of the call's own answer, and only what is in ``data`` of the
    answers on the task: ``id``, ``status``, ``result``.
    """
    task, status, result = answer["taskId"], answer["taskStatus"], answer.get("data")
    while task and status == "PENDING":
        sleep(POLL_SECONDS)
        told = get(f"/api/v1/tasks/{task}")["data"]
        task, status, result = told["id"], told["status"], told.get("result")
    assert status in ("SUCCESS", "FAILED")
    if status == "FAILED":
        raise RuntimeError("Operation failed.")
    return result or {}


def go_client(get: Callable[[str], Any], answer: Any) -> Any:
    """What go-cloudca makes of an answer: ``data`` where it is done, else the task's result, or its errors.

    Of a task it follows pointers to ``id``, ``status`` and ``created`` in ``data``, and to ``result`` where the key is
    there: it dies of a null.
    """
    if answer["taskStatus"].upper() != "PENDING":
        return answer["data"]
    while True:
        told = get(f"/v1/tasks/{answer['taskId']}")
        if told.get("errors"):
            raise RuntimeError([(error["code"] + 0, error["message"], error["context"]) for error in told["errors"]])
        data = told["data"]
        assert None not in (data["id"], data["status"], data["created"], data.get("result", "none yet"))
        if data["status"].upper() != "PENDING":
            return data.get("result")
        sleep(POLL_SECONDS)


@pytest.mark.parametrize("client", [javascript_client, go_client])
def test_both_generations_of_clients_see_an_import_through(importing, source, client):
    """Each polls as it does, and ends with the ISO's id and name, or with the failure."""

    def get(path: str) -> Any:
        return importing.client().get(path).json()

    for name, is_there in (("small.iso", True), ("missing.iso", False)):
        body = {"name": "for clients", "description": "", "url": source.url(f"/{name}")}
        answer = importing.client().post("/api/v2/services/compute-on/test_area/isos?operation=", json=body).json()
        if is_there:
            result = client(get, answer)
            assert (result["id"], result["name"]) == (answer["data"]["id"], "for clients")
        else:
            with pytest.raises(RuntimeError):
                client(get, answer)


def test_a_task_tells_how_fast_it_goes_and_how_long_it_will_take(importing, small_image):
    """Bytes, bytes a second and seconds; null while nobody knows."""
    size = small_image.stat().st_size
    with nginx(small_image.parent, bytes_per_second=size // 4) as slow:
        _, task_id = begin(importing, slow.url(f"/{small_image.name}"))
        with importing.client().stream("GET", f"/v1/tasks/{task_id}/events") as stream:
            told = [task for _, _, task in events(stream)]
    assert told[-1]["taskStatus"] == "SUCCESS"
    assert {task["secondsLeft"] for task in (told[0], told[-1])} == {None}
    on_the_way = next(task for task in told if task["bytesPerSecond"])
    assert on_the_way["bytesTotal"] == size
    left = (size - on_the_way["bytesDone"]) / on_the_way["bytesPerSecond"]
    assert left <= on_the_way["secondsLeft"] <= left + 1


def test_a_cancelled_import_stops_and_can_be_retried(importing, stalling):
    """It is FAILED with the code for that, its ISO too; what has ended cannot be cancelled."""
    iso, task_id = begin(importing, stalling.url("/stalls.iso"))
    assert stalling.pages["/stalls.iso"].stalled.wait(30)
    said = importing.client().post(f"/v1/tasks/{task_id}?operation=cancel")
    assert (said.status_code, said.json()["taskId"], said.json()["taskStatus"]) == (200, task_id, "PENDING")
    assert ended(importing, task_id)["errors"][0]["code"] == 2015
    assert importing.get(f"{SEED}/isos/{iso['id']}")["status"] == "failed"
    again = importing.client().post(f"/v1/tasks/{task_id}?operation=cancel")
    assert (error_of(again), again.json()["errors"][0]["context"]["status"]) == ((409, 2012), "FAILED")
    refused, log = importing.get("/v1/activity_log", page_size=2)
    assert (refused["operation"], refused["result"]) == ("task.cancel", "2012")
    assert (log["operation"], log["objectId"], log["details"]) == ("task.cancel", task_id, {"subject": iso["id"]})
    stalling.pages["/stalls.iso"].stall_after = None
    retried = importing.client().post(f"{SEED}/isos/{iso['id']}?operation=retry").json()
    assert ended(importing, retried["taskId"])["taskStatus"] == "SUCCESS"


def test_who_may_cancel_and_follow(waiting, pending):
    """A viewer follows what it sees and cancels nothing; what is not seen is not there; no key, nothing."""
    here = waiting.get("/v1/environments")[0]["id"]
    there = waiting.new_environment("elsewhere")
    viewer, stranger = waiting.client(waiting.new_key("viewer", here)), waiting.client(waiting.new_key("editor", there))
    cancel, follow = f"/v1/tasks/{pending}?operation=cancel", f"/v1/tasks/{pending}/events"
    assert error_of(viewer.post(cancel)) == (403, 3002)
    assert viewer.head(follow).status_code == 200
    for client, status in ((stranger, 404), (waiting.client(""), 401)):
        assert (client.post(cancel).status_code, client.get(follow).status_code) == (status, status)
    missing = stranger.get("/v1/tasks/none/events").text
    assert stranger.get(follow).text == missing.replace("none", pending)
    with waiting.behind.catalog.reading() as tx:
        assert waiting.behind.catalog.tasks.get(tx, pending).cancelled is False


@pytest.mark.parametrize("tail", ["", "?operation=stop", "?operation="])
def test_what_is_no_operation_on_a_task_is_refused(waiting, pending, tail):
    """400 with those there are."""
    said = waiting.client().post(f"/v1/tasks/{pending}{tail}")
    assert (error_of(said), said.json()["errors"][0]["context"]) == ((400, 2002), {"operations": ["cancel"]})


def test_events_begin_at_once_and_end_with_the_task(importing, stalling):
    """First what is now, then what changes, each with an id of its own; the last is the task as it stays."""
    _, task_id = begin(importing, stalling.url("/stalls.iso"))
    page = stalling.pages["/stalls.iso"]
    assert page.stalled.wait(30)
    with importing.client().stream("GET", f"/v1/tasks/{task_id}/events") as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert (stream.headers["cache-control"], stream.headers["x-accel-buffering"]) == ("no-store", "no")
        following = events(stream)
        first = next(following)
        assert (first[1], first[2]["taskStatus"]) == ("progress", "PENDING")
        page.stall_after = None
        page.released.set()
        told = [first, *following]
    assert [name for _, name, _ in told] == ["progress"] * (len(told) - 1) + ["end"]
    assert len({event_id for event_id, _, _ in told}) == len(told)
    assert told[-1][2] == importing.client().get(f"/v1/tasks/{task_id}").json()
    again = importing.client().get(f"/v1/tasks/{task_id}/events", headers={"Last-Event-ID": told[-1][0]})
    assert (again.status_code, again.content) == (204, b"")


def test_who_connects_again_is_not_told_the_same_again(waiting, pending):
    """With the id of what it knows, a caller gets a comment, which keeps the connection, and no event."""
    path = f"/api/v1/TASKS/{pending}/Events"
    with waiting.client().stream("GET", path) as stream:
        event_id, _, task = next(events(stream))
    assert task == waiting.client().get(f"/v1/tasks/{pending}").json()
    with waiting.client().stream("GET", path, headers={"Last-Event-ID": event_id}) as stream:
        assert next(stream.iter_lines()) == ":"
    with waiting.client().stream("GET", path, headers={"Last-Event-ID": "another"}) as stream:
        assert next(events(stream))[0] == event_id


def test_head_and_options_of_events_end_at_once(waiting, pending):
    """However long the task takes."""
    path = f"/v1/tasks/{pending}/events"
    head = waiting.client().head(path)
    assert (head.status_code, head.headers["content-type"], head.content) == (200, "text/event-stream", b"")
    assert set(waiting.client().options(path).headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_a_key_that_is_taken_back_ends_its_streams(waiting, pending):
    """The stream ends, without an event that says the task did."""
    secret = waiting.new_key("viewer", waiting.get("/v1/environments")[0]["id"])
    key_id = waiting.get("/v1/api_keys")[-1]["id"]
    with waiting.client(secret).stream("GET", f"/v1/tasks/{pending}/events") as stream:
        following = events(stream)
        assert next(following)[1] == "progress"
        assert waiting.client().delete(f"/v1/api_keys/{key_id}").status_code == 204
        assert list(following) == []
    assert waiting.client(secret).get(f"/v1/tasks/{pending}/events").status_code == 401


def test_streams_have_a_limit_and_give_their_places_back(waiting, pending):
    """Beyond it 503, while everything else is answered; a caller that leaves makes room."""
    path = f"/v1/tasks/{pending}/events"
    limits = httpx.Limits(max_connections=STREAMS + 5)
    headers = dict(waiting.client().headers)
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(base_url=waiting.address, headers=headers, timeout=30, limits=limits))
        streams = [stack.enter_context(client.stream("GET", path)) for _ in range(STREAMS)]
        assert {stream.status_code for stream in streams} == {200}
        assert error_of(client.get(path)) == (503, 5002)
        assert client.get(f"/v1/tasks/{pending}").status_code == 200
        streams[0].close()
        deadline = monotonic() + 30
        while (status := client.head(path).status_code) == 503 and monotonic() < deadline:
            sleep(POLL_SECONDS)  # nobody tells when the service saw the caller go
        assert status == 200


def test_work_that_waits_for_others_has_a_limit():
    """One more than may wait is refused at once; those that wait are done."""

    async def crowd() -> list[int]:
        begun, released = Event(), Event()
        threads = Threads(1, 2)
        first = threads.run(lambda: (begun.set(), released.wait(30)))
        await asyncio.to_thread(begun.wait, 30)
        others = [threads.run(lambda number=number: number) for number in range(2)]
        with pytest.raises(UnavailableError):
            threads.run(int)
        released.set()
        await first
        return [await other for other in others]

    assert asyncio.run(crowd()) == [0, 1]
