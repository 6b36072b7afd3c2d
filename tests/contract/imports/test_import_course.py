"""An import can be watched, stopped, deleted and begun again, and keeps to its environment's limits."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from desk import Desk, digest, until

from hostile_source import HostileSource, Page
from isobay.errors import FetchError
from isobay.transfer.answers import Version
from isobay.transfer.fetching import Fetching, Patience
from isobay.transfer.guard import AddressGuard
from isobay.transfer.network import Network
from isobay.transfer.url import SourceUrl
from service import SEED, Service, serving
from sources import nginx

MIB = 1 << 20
AT_ONCE = 2


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, options: dict[str, str]) -> Iterator[Service]:
    """Run a service that works on two imports at once, and whose environments hold five ISOs of 80 MiB in all."""
    limits = {"ISOBAY_TASKS_AT_ONCE": str(AT_ONCE), "ISOBAY_ENVIRONMENT_ISOS": "5"}
    more = {"ISOBAY_ENVIRONMENT_BYTES": str(80 * MIB)}
    with serving(tmp_path_factory.mktemp("course"), **options, **limits, **more) as running:
        yield running


def slow(data: bytes, after: int = 4 * MIB) -> Page:
    """A page that gives so many bytes and then waits for its release."""
    return Page(data, stall_after=after)


def test_early_report(desk: Desk, tmp_path: Path, large: bytes) -> None:
    """What system it is, how it boots and for which machines is told while nginx gives the image drop by drop."""
    (tmp_path / "a.iso").write_bytes(large)
    with nginx(tmp_path, bytes_per_second=4 * MIB) as server:
        asked = desk.begin(server.url("/a.iso"))
        iso = until(lambda: found if (found := desk.iso(asked))["osVersion"] else None, "the system to be known")
        assert (iso["status"], iso["ready"]) == ("importing", False)
        assert (iso["osVersion"], iso["architecture"]) == ("14", "x86_64")
        assert (iso["bootable"], iso["bootModes"], iso["installer"]) == (True, ["bios", "uefi"], True)
        assert iso["progress"] < 0.5
        first = desk.task(asked)
        assert (first["bytesTotal"], first["taskStatus"]) == (len(large), "PENDING")
        second = until(lambda: now if (now := desk.task(asked))["bytesDone"] > first["bytesDone"] else None, "progress")
        assert 0 <= first["progress"] < second["progress"] < 1
        assert second["bytesPerSecond"] > 0
        assert desk.iso(asked)["progress"] > 0


def test_deleted_meanwhile(desk: Desk, tmp_path: Path, large: bytes) -> None:
    """Deleting an ISO that arrives hangs up on the server and gives the bytes back; its task has failed."""
    (tmp_path / "a.iso").write_bytes(large)
    client, environment = desk.service.client(), desk.service.new_environment("passing")
    isos = "/v1/services/compute-on/passing/isos"
    with nginx(tmp_path, bytes_per_second=4 * MIB) as server:
        body = {"name": "a", "description": "a", "url": server.url("/a.iso")}
        answer = client.post(isos, json=body).json()
        until(lambda: sum(path.stat().st_size for path in desk.files()) > MIB, "bytes to lie there")
        assert client.delete(f"{isos}/{answer['data']['id']}").status_code == 200
        (fetch,) = until(server.fetches, "the server to be hung up on")
        assert fetch.sent < len(large)
    until(lambda: not desk.files(), "the bytes to go away")
    task = client.get(f"/v1/tasks/{answer['taskId']}").json()
    assert (task["taskStatus"], task["errors"][0]["code"]) == ("FAILED", 2015)
    assert client.delete(f"/v1/environments/{environment}").status_code == 204


def test_cancelled(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A cancelled import stops soon, keeps what came, and goes on from there when it is tried again."""
    page = Page(small, stall_after=4 * MIB, times=1, then=Page(small))
    source.pages["/a.iso"] = page
    asked = desk.begin(source.url("/a.iso"))
    assert page.stalled.wait(30)
    until(lambda: desk.task(asked)["bytesDone"] == 4 * MIB, "the bytes to be told of")
    desk.cancel(asked)
    assert desk.failed(asked).code == 2015
    assert desk.iso(asked)["size"] == 4 * MIB
    assert desk.ready(desk.again(asked))["checksums"]["sha256"] == digest(small)
    assert [request.headers.get("range") for request in source.requests] == [None, f"bytes={4 * MIB}-"]


def test_retry(desk: Desk, source: HostileSource, small: bytes) -> None:
    """After a failure another try goes on from where the last one stopped, and what was known is still known."""
    source.pages["/a.iso"] = Page(small, cut_every=4 * MIB, times=1, then=Page(b"gone", status=404))
    failure = desk.fail(source.url("/a.iso"))
    assert failure.context["httpStatus"] == 404
    source.pages["/a.iso"] = Page(small)
    again = desk.again(failure.asked)
    assert (again.iso_id, again.task_id != failure.asked.task_id) == (failure.asked.iso_id, True)
    assert desk.ready(again)["checksums"]["sha256"] == digest(small)
    assert source.requests[-1].headers["range"] == f"bytes={4 * MIB}-"
    assert (source.requests[-1].status, source.requests[-1].sent) == (206, len(small) - 4 * MIB)


def test_retry_of_another_file(desk: Desk, source: HostileSource, small: bytes, head: bytes) -> None:
    """A file that changed before the other try is fetched from its beginning."""
    source.pages["/a.iso"] = Page(small, cut_every=4 * MIB, times=1, then=Page(b"gone", status=404))
    failure = desk.fail(source.url("/a.iso"))
    changed = head + small[: 5 * MIB]
    source.pages["/a.iso"] = Page(changed, etag='"2"')
    assert desk.ready(desk.again(failure.asked))["checksums"]["sha256"] == digest(changed)


def test_retry_of_what_is_well(desk: Desk, source: HostileSource, head: bytes) -> None:
    """Only what failed can be tried again."""
    source.pages["/a.iso"] = Page(head)
    asked = desk.begin(source.url("/a.iso"))
    desk.ready(asked)
    answer = desk.service.client().post(f"{SEED}/isos/{asked.iso_id}", params={"operation": "retry"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, 2012)


def test_at_once(desk: Desk, source: HostileSource, small: bytes) -> None:
    """Of many imports ISOBAY_TASKS_AT_ONCE run, and the others wait for their turn, oldest first."""
    pages = [slow(small) for _ in range(4)]
    source.pages |= {f"/{number}.iso": page for number, page in enumerate(pages)}
    begun = [desk.begin(source.url(f"/{number}.iso")) for number in range(4)]
    assert all(page.stalled.wait(30) for page in pages[:AT_ONCE])
    assert [page.answered for page in pages] == [1, 1, 0, 0]
    assert [desk.task(asked)["message"] for asked in begun[AT_ONCE:]] == ["Waiting for its turn."] * 2
    pages[0].released.set()
    desk.ready(begun[0])
    assert pages[2].stalled.wait(30)
    assert pages[3].answered == 0
    desk.delete(begun[3].iso_id)  # one that waits can be deleted too
    for page in pages:
        page.released.set()
    for asked in begun[1:3]:
        desk.ready(asked)
    assert pages[3].answered == 0


def test_too_many(desk: Desk, source: HostileSource, head: bytes) -> None:
    """The environment's sixth ISO is refused before any request goes out."""
    source.pages["/a.iso"] = Page(head)
    for _ in range(5):
        desk.bring(source.url("/a.iso"))
    answer = desk.ask(source.url("/more.iso"))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, 2016)
    assert len(source.requests) == 5


def test_too_many_bytes(desk: Desk, source: HostileSource, large: bytes, small: bytes) -> None:
    """What would not fit into the environment is refused when its length is known, without the bytes."""
    source.pages["/large.iso"] = Page(large)
    source.pages["/more.iso"] = Page(small + bytes(10 * MIB), stall_after=0)
    desk.bring(source.url("/large.iso"))
    files = desk.files()
    failure = desk.fail(source.url("/more.iso"))
    assert (failure.code, failure.context["limit"], failure.context["used"]) == (2016, 80 * MIB, len(large))
    assert "ISOBAY_ENVIRONMENT_BYTES" in failure.message
    assert source.requests[-1].sent == 0
    assert desk.files() == files


@pytest.mark.parametrize("packed", [False, True], ids=["without length", "packed"])
def test_too_many_bytes_unannounced(
    desk: Desk, source: HostileSource, large: bytes, small: bytes, *, packed: bool
) -> None:
    """What grows beyond the environment's room without having said so is stopped meanwhile, and leaves nothing."""
    more = small + bytes(16 * MIB)
    data = gzip.compress(more, 1) + gzip.compress(small, 1) if packed else more + bytes(8 * MIB)
    page = Page(data, chunked=True, stall_after=len(data) - 3 * MIB)
    source.pages["/large.iso"], source.pages["/more.iso"] = Page(large), page
    desk.bring(source.url("/large.iso"))
    files = desk.files()
    asked = desk.begin(source.url("/more.iso"))
    assert desk.failed(asked).code == 2016
    assert not page.released.is_set()
    assert desk.files() == files


def test_too_many_bytes_together(desk: Desk, source: HostileSource, large: bytes) -> None:
    """Two images that fit one by one and not together: the second is refused while the first still comes."""
    page = slow(large)
    source.pages["/a.iso"], source.pages["/b.iso"] = page, Page(large)
    first = desk.begin(source.url("/a.iso"))
    assert page.stalled.wait(30)
    assert desk.fail(source.url("/b.iso")).code == 2016
    page.released.set()
    desk.ready(first)


class Held:
    """The bytes of a fetch, and nothing else: a part and a listener."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.size = 0

    def append(self, data: bytes) -> None:
        """Take more."""
        self.data += data
        self.size = len(self.data)

    def restart(self) -> None:
        """Forget all of it."""
        self.data.clear()
        self.size = 0

    def begins(self, *_: object) -> None:
        """Nothing is to be decided."""

    keeps = says = starts_over = begins


def test_time_out(source: HostileSource, small: bytes) -> None:
    """A fetch ends after as long as it may take in all, though its server never falls silent for long."""
    source.pages["/a.iso"] = Page(small, stall_after=MIB)
    network, held = Network(AddressGuard.of("127.0.0.0/8")), Held()
    url = SourceUrl.parse(source.url("/a.iso"))
    fetching = Fetching(network, url, held, held, Event(), Patience(total_seconds=1), 1 << 30)
    with pytest.raises(FetchError, match="ISOBAY_FETCH_HOURS") as caught:
        fetching.run(Version())
    assert (caught.value.context["reason"], held.size) == ("too-long", MIB)
