"""Many downloads at once, callers who go away or take nothing, and what goes on meanwhile."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from time import monotonic, sleep
from urllib.parse import urlsplit

import httpx
import pytest
from shelved import Shelved, shelve

from images import image
from service import KEY, Service, serving

AT_ONCE = 64
MIB = 1 << 20
SECONDS = 20.0


@pytest.fixture(scope="module")
def large(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Shelved:
    """Put an image of 40 MiB on the shelf: more than fits between the two ends of a connection."""
    files = {"data.bin": Random(8).randbytes(40 * MIB)}
    return shelve(service, image(tmp_path_factory.mktemp("images") / "large.iso", files, label="LARGE"), "large")


def _begin(shelved: Shelved, *headers: str, status: int = 200, path: str = "") -> socket.socket:
    """Ask for the bytes and take the first of them."""
    parts = urlsplit(shelved.service.address)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=SECONDS)
    connection.sendall(_request(shelved, *headers, path=path))
    assert connection.recv(12) == f"HTTP/1.1 {status}".encode()
    return connection


def _request(shelved: Shelved, *headers: str, path: str = "") -> bytes:
    host = urlsplit(shelved.service.address).netloc
    lines = [f"GET {path or shelved.content} HTTP/1.1", f"Host: {host}", f"MC-Api-Key: {KEY}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def _open_files(service: Service) -> int:
    """How many files of images the service has open."""
    found = 0
    for link in Path(f"/proc/{service.process.pid}/fd").iterdir():
        try:
            found += link.readlink().name.endswith(".iso") or link.readlink().name.endswith(".iso (deleted)")
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def _wait_for_no_files(service: Service) -> None:
    ends = monotonic() + SECONDS
    while _open_files(service):
        assert monotonic() < ends, "files of images stay open"
        sleep(0.02)  # another process: there is nothing to wait on


def test_64_at_once_are_whole_and_the_api_answers_meanwhile(large):
    """Every one of them has all the bytes, while another caller asks for lists and is answered."""
    done = threading.Event()

    def ask() -> int:
        answered = 0
        with httpx.Client(base_url=large.service.address, headers={"MC-Api-Key": KEY}, timeout=SECONDS) as client:
            while not done.is_set():
                assert client.get(large.path).status_code == 200
                answered += 1
        return answered

    def fetch(_number: int) -> bool:
        return (
            httpx.get(large.service.address + large.content, headers={"MC-Api-Key": KEY}, timeout=60).content
            == large.data
        )

    with ThreadPoolExecutor(AT_ONCE + 1) as threads:
        asking = threads.submit(ask)
        try:
            results = list(threads.map(fetch, range(AT_ONCE)))
        finally:
            done.set()
        assert all(results)
        assert asking.result() > 10
    _wait_for_no_files(large.service)


def test_who_takes_nothing_stops_nobody(large):
    """64 callers who ask and take nothing more hold no thread; the files are freed when they go."""
    idle = [_begin(large) for _ in range(AT_ONCE)]
    try:
        assert large.get().content == large.data
    finally:
        for each in idle:
            each.close()
    _wait_for_no_files(large.service)


def test_a_download_outlives_the_deletion_of_its_image(service, tmp_path):
    """Who began before the image was deleted gets it to the end; who begins afterwards is told that it is not there."""
    files = {"data.bin": Random(9).randbytes(30 * MIB)}
    doomed = shelve(service, image(tmp_path / "doomed.iso", files, label="DOOMED"), "doomed")
    with httpx.stream("GET", service.address + doomed.content, headers={"MC-Api-Key": KEY}) as answer:
        pieces = answer.iter_bytes(MIB)
        begun = next(pieces)
        assert service.client().delete(doomed.path).status_code == 200
        assert doomed.get().status_code == 404
        assert begun + b"".join(pieces) == doomed.data
    _wait_for_no_files(service)


def test_requests_in_a_line_are_answered_in_a_line(shelved):
    """What is sent by the kernel and what is not come in the order of the requests, on one connection."""
    parts = urlsplit(shelved.service.address)
    asked = [
        f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nMC-Api-Key: {KEY}\r\n{more}\r\n"
        for path, more in (
            (shelved.content, "Range: bytes=0-2999999\r\n"),
            ("/healthz", ""),
            (shelved.content, "Range: bytes=-2000000\r\n"),
            ("/healthz", "Connection: close\r\n"),
        )
    ]
    received = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
        connection.sendall("".join(asked).encode())
        while piece := connection.recv(MIB):
            received += piece
    bodies = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        bodies.append(received[:length])
        received = received[length:]
    ok = b'{"status":"ok"}'
    assert bodies == [shelved.data[:3_000_000], ok, shelved.data[-2_000_000:], ok]


def test_curl_goes_on_where_it_was_cut(large, tmp_path):
    """What a user does after a loss of the network, by link and by key: the rest is fetched, and nothing twice."""
    for number, address in enumerate((large.link(), large.service.address + large.content)):
        path = tmp_path / f"{number}.iso"
        path.write_bytes(large.data[: 7 * MIB + 5])
        command = [
            "curl",
            "-sS",
            "-f",
            "-C",
            "-",
            "-H",
            f"MC-Api-Key: {KEY}",
            "-o",
            path,
            "-w",
            "%{size_download}",
            address,
        ]
        said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        assert path.read_bytes() == large.data
        assert int(said.stdout) == len(large.data) - 7 * MIB - 5


def _stored(shelved: Shelved) -> Path:
    """The file that holds an image's bytes."""
    behind = shelved.service.behind
    with behind.catalog.reading() as tx:
        kept = behind.catalog.isos.by_id(tx, shelved.iso["id"])
    assert kept
    return next(behind.settings.objects_dir.rglob(f"{kept.object_id}.iso"))


def test_who_goes_away_in_the_midst_leaves_no_alarm_in_the_log(tmp_path, image_file, capfd):
    """Callers who cut their connections while much is on its way to them are no failures of the service."""
    with serving(tmp_path, ISOBAY_TASKS_AT_ONCE="0") as service:
        shelved = shelve(service, image_file, "medium")
        for _ in range(40):
            with _begin(shelved, "Range: bytes=0-999999", status=206) as connection:
                connection.sendall(_request(shelved, "Range: bytes=0-999999") * 20)
                connection.recv(MIB)
                # With bytes of it unread a closed connection is reset.
        _wait_for_no_files(service)
        assert shelved.get().content == shelved.data
    assert "Traceback" not in capfd.readouterr().err


def test_who_goes_away_in_the_midst_of_a_file_inside_leaves_no_alarm_in_the_log(tmp_path, image_file, capfd):
    """Bytes that are read and written, and not handed over by the kernel, are no other case."""
    with serving(tmp_path, ISOBAY_TASKS_AT_ONCE="0") as service:
        shelved = shelve(service, image_file, "medium")
        file = f"{shelved.path}/files/content?path=/data.bin"
        for _ in range(40):
            with _begin(shelved, path=file) as connection:
                connection.sendall(_request(shelved, path=file) * 20)
                connection.recv(MIB)
        _wait_for_no_files(service)
        assert shelved.get().content == shelved.data
    assert "Traceback" not in capfd.readouterr().err


def test_what_the_disk_must_give_first_comes_all_the_same(large):
    """Bytes that are not in memory, and bytes of which some are, are the image's as well."""
    with _stored(large).open("rb") as file:
        for start, end in ((0, MIB), (5 * MIB + 1, 9 * MIB), (20 * MIB - 1, 20 * MIB + 1)):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            for _ in range(2):
                assert large.get(Range=f"bytes={start}-{end - 1}").content == large.data[start:end]


def test_many_parts_are_whole(large):
    """Parts that are more than fits between the two ends of a connection come in their order, each with its head."""
    spans = [(number * 2 * MIB, number * 2 * MIB + MIB) for number in range(20)]
    answer = large.get(Range="bytes=" + ",".join(f"{start}-{end - 1}" for start, end in spans))
    boundary = b"--" + answer.headers["content-type"].partition("boundary=")[2].encode()
    parts = answer.content.split(boundary)[1:-1]
    assert [part.partition(b"\r\n\r\n")[2][:-2] for part in parts] == [large.data[s:e] for s, e in spans]


def test_an_object_that_is_cut_short_is_never_passed_off_as_whole(service, tmp_path):
    """Cut while it is sent: the connection ends before the promised length. Cut before: 507, and not one byte."""
    files = {"data.bin": Random(10).randbytes(40 * MIB)}
    damaged = shelve(service, image(tmp_path / "damaged.iso", files, label="DAMAGED"), "damaged")
    stored = _stored(damaged)
    with httpx.stream("GET", service.address + damaged.content, headers={"MC-Api-Key": KEY}) as answer:
        pieces = answer.iter_bytes()
        next(pieces)
        os.truncate(stored, MIB)
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
    answer = damaged.get()
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (507, 5001)
    service.client().delete(damaged.path)
