"""Downloads beside nginx with sendfile: an image of 2 GiB whole, by ranges of 1 MiB, and by 64 callers at once.

Both serve the same bytes from the same page cache to the same client. The processor time is the server's own.

Named is the kernel's congestion control: bbr paces some connections and leaves others alone, by chance, and a paced one
costs either server twice as much for a short range. Its ratios scatter; reno's and cubic's do less.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import httpx
import pycurl

from measure import RUNS, free_port, scratch

GIB = 1 << 30
SIZE = 2 * GIB
RANGE = 1 << 20
RANGES = 1000
AT_ONCE = 64
PART = SIZE // AT_ONCE
KEY = "key-of-the-bench"
SEED = 20261123
Server = tuple[str, str]
"""An address, and a header to send there."""
CONGESTION_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")
CLIENT = ["curl", "-s", "-f", "-o"]


def main() -> None:
    """Measure both servers in turn."""
    if not shutil.which("nginx") or not shutil.which("curl"):
        sys.exit("This workload needs nginx and curl: sudo apt-get install nginx-light curl")
    image = _image(scratch() / "large.iso")
    print(f"congestion control: {CONGESTION_CONTROL.read_text().strip()}", flush=True)
    with _isobay(image) as (ours, our_pid), _nginx(image) as (theirs, their_pid):
        hashes = {_sha256(address) for address, _ in (ours, theirs)}
        assert len(hashes) == 1, "the servers do not give the same bytes"
        chance = random.Random(SEED)  # noqa: S311 -- the same in every run
        starts = [chance.randrange(SIZE - RANGE) for _ in range(RANGES)]
        assert _ranges(ours, starts[:20]) == _ranges(theirs, starts[:20])
        assert _at_once(ours, is_hashed=True) == _at_once(theirs, is_hashed=True)
        _compare("one download of 2 GiB", _whole, SIZE, ours, our_pid, theirs, their_pid)
        _compare(
            "1,000 random ranges of 1 MiB",
            lambda server: _ranges(server, starts),
            RANGES * RANGE,
            ours,
            our_pid,
            theirs,
            their_pid,
        )
        _compare("64 downloads of 32 MiB at once", _at_once, SIZE, ours, our_pid, theirs, their_pid)


def _compare(
    what: str, work: Callable[[Server], object], size: int, ours: Server, our_pid: int, theirs: Server, their_pid: int
) -> None:
    pairs = [(_measured(work, ours, our_pid), _measured(work, theirs, their_pid)) for _ in range(RUNS)]
    for unit, at in (("s", 0), ("CPU s/GB", 1)):
        values = [[pair[side][at] / (1 if at == 0 else size / 1e9) for pair in pairs] for side in (0, 1)]
        ratio = statistics.median(a / b for a, b in zip(*values, strict=True))
        medians = [statistics.median(each) for each in values]
        print(f"{what:<32} isobay {medians[0]:>7.3f} nginx {medians[1]:>7.3f} {unit:<9} ratio {ratio:.2f}", flush=True)


def _measured(work: Callable[[Server], object], server: Server, process: int) -> tuple[float, float]:
    """Seconds, and seconds of the processor that the server and its children took."""
    before, began = _processor(process), time.monotonic()
    work(server)
    return time.monotonic() - began, _processor(process) - before


def _processor(process: int) -> float:
    """Seconds that a process and its children have had."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == process or int(fields[1]) == process:
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _whole(server: Server) -> None:
    address, header = server
    subprocess.run([*CLIENT, "/dev/null", "-H", header, address], check=True)


def _sha256(address: str) -> str:
    digest = sha256()
    with httpx.stream("GET", address, headers={"MC-Api-Key": KEY}) as answer:
        for piece in answer.iter_bytes(RANGE):
            digest.update(piece)
    return digest.hexdigest()


def _ranges(server: Server, starts: list[int]) -> str:
    """Fetch ranges one after another on one connection."""
    digest = sha256()
    received: list[bytes] = []
    curl = _curl(server, received.append)
    for start in starts:
        curl.setopt(pycurl.RANGE, f"{start}-{start + RANGE - 1}")
        curl.perform()
        assert sum(map(len, received)) == RANGE
        if len(starts) < RANGES:
            digest.update(b"".join(received))
        received.clear()
    curl.close()
    return digest.hexdigest()


def _at_once(server: Server, *, is_hashed: bool = False) -> list[str]:
    """Fetch the whole image as 64 callers, each a part of it on a connection of its own."""
    multi, digests, curls = pycurl.CurlMulti(), [sha256() for _ in range(AT_ONCE)], []
    for number, digest in enumerate(digests):
        curl = _curl(server, digest.update if is_hashed else _drop)
        curl.setopt(pycurl.RANGE, f"{number * PART}-{number * PART + PART - 1}")
        multi.add_handle(curl)
        curls.append(curl)
    while multi.perform()[1]:
        multi.select(1.0)
    _, done, failed = multi.info_read()
    assert len(done) == AT_ONCE, failed
    assert all(curl.getinfo(pycurl.SIZE_DOWNLOAD_T) == PART for curl in curls)
    return [digest.hexdigest() for digest in digests]


def _curl(server: Server, write: Callable[[bytes], object]) -> pycurl.Curl:
    """A caller."""
    address, header = server
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, address)
    curl.setopt(pycurl.HTTPHEADER, [header])
    curl.setopt(pycurl.BUFFERSIZE, 512 << 10)
    curl.setopt(pycurl.FAILONERROR, True)
    curl.setopt(pycurl.WRITEFUNCTION, write)
    return curl


def _drop(_data: bytes) -> None:
    """What came is not looked at."""


def _image(path: Path) -> Path:
    """An image of 2 GiB: a small ISO, and random bytes behind its volume."""
    if not path.exists() or path.stat().st_size != SIZE:
        tree = path.with_suffix(".tree")
        tree.mkdir(exist_ok=True)
        (tree / "readme.txt").write_text("hello\n")
        subprocess.run(["genisoimage", "-quiet", "-R", "-o", str(path), str(tree)], check=True, capture_output=True)
        chance = random.Random(SEED)  # noqa: S311 -- the same in every run
        with path.open("ab") as file:
            while file.tell() < SIZE:
                file.write(chance.randbytes(min(RANGE, SIZE - file.tell())))
    return path


@contextmanager
def _isobay(image: Path) -> Iterator[tuple[Server, int]]:
    data = scratch() / "downloads"
    shutil.rmtree(data, ignore_errors=True)
    environment = {**os.environ, "ISOBAY_DATA_DIR": str(data), "ISOBAY_ADMIN_KEY": KEY, "ISOBAY_TASKS_AT_ONCE": "0"}
    command = [sys.executable, "-m", "isobay"]
    said = subprocess.run([*command, "add", str(image)], env=environment, check=True, capture_output=True, text=True)
    iso = said.stdout.split("\t")[0]
    process = subprocess.Popen([*command, "serve", "--port", "0"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        found = re.search(r"http://\S+?(?=/? )", process.stdout.readline())
        assert found
        yield (f"{found[0]}/v1/services/compute-on/test_area/isos/{iso}/content", f"MC-Api-Key: {KEY}"), process.pid
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(data)


@contextmanager
def _nginx(image: Path) -> Iterator[tuple[Server, int]]:
    port, directory = free_port(), scratch()
    (directory / "nginx.conf").write_text(
        f"daemon off; pid {directory}/nginx.pid; worker_processes 1; {'user root;' if os.geteuid() == 0 else ''} "
        f"events {{}} http {{ access_log off; sendfile on; tcp_nopush on; "
        f"server {{ listen 127.0.0.1:{port}; root {image.parent}; }} }}"
    )
    process = subprocess.Popen(["nginx", "-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log")])
    address = f"http://127.0.0.1:{port}/{image.name}"
    try:
        for _ in range(100):
            try:
                httpx.head(address)
                break
            except httpx.ConnectError:
                time.sleep(0.05)
        yield (address, "Accept: */*"), process.pid
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
