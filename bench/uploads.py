"""A plain PUT of an image by curl, beside nginx's WebDAV and beside a server that only throws the body away.

isobay's time is until its answer, when the image is hashed, read, and on the disk for certain. nginx answers when the
kernel has the bytes, so a second peer hashes what nginx wrote, and a third one waits for the disk. What was written is
deleted after each run. The server that throws away is the floor below ours: the same HTTP and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measure
from imports import KEY, MIB, NGINX, make_image
from measure import beside, report

AREA = "/v1/services/compute-on/test_area"


async def discard(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The floor: take a body, and forget it."""
    while scope["type"] == "http" and (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


class Bench:
    """The image, and who takes it."""

    def __init__(self, directory: Path, isobay: str, nginx: str, floor: str) -> None:
        self._image = directory / "bench.iso"
        self._written = directory / "written" / "bench.iso"
        self._isobay = isobay
        self._nginx = nginx
        self._floor = floor

    def ours(self) -> float:
        """Put it into isobay; MB per second."""
        began = time.perf_counter()
        said = self._put(f"{self._isobay}{AREA}/uploads/")
        seconds = time.perf_counter() - began
        address = f"{self._isobay}{AREA}/isos/{json.loads(said)['data']['id']}"
        request = urllib.request.Request(address, method="DELETE", headers={"MC-Api-Key": KEY})  # noqa: S310 -- our own
        urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 -- an address of our own on loopback
        return self._rate(seconds)

    def theirs(self, *then: str) -> float:
        """Put it into nginx, and then run a command on what it wrote; MB per second."""
        began = time.perf_counter()
        self._put(f"{self._nginx}/")
        if then:
            subprocess.run([*then, self._written], check=True, stdout=subprocess.PIPE)
        seconds = time.perf_counter() - began
        self._written.unlink()
        return self._rate(seconds)

    def thrown_away(self) -> float:
        """Put it into the floor; MB per second."""
        began = time.perf_counter()
        self._put(f"{self._floor}/")
        return self._rate(time.perf_counter() - began)

    def _put(self, url: str) -> bytes:
        command = ["curl", "-sS", "-f", "-H", f"MC-Api-Key: {KEY}", "-T", str(self._image), url]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout

    def _rate(self, seconds: float) -> float:
        return self._image.stat().st_size / 1e6 / seconds


@contextmanager
def bench(directory: Path) -> Iterator[Bench]:
    """Run the three servers."""
    isobay, nginx, floor = (measure.free_port() for _ in range(3))
    environment = {
        **os.environ,
        "ISOBAY_DATA_DIR": str(directory / "data"),
        "ISOBAY_ADMIN_KEY": KEY,
        "ISOBAY_LOG_LEVEL": "error",
        "ISOBAY_TASKS_AT_ONCE": "0",
    }
    configuration = directory / "nginx.conf"
    account = "user root;" if os.geteuid() == 0 else ""  # another account may not write into temporary directories
    temporary = " ".join(f"{kind}_temp_path {directory}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    configuration.write_text(
        f"daemon off; {account} worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;"
        f"events {{ }} http {{ access_log off; {temporary} client_body_temp_path {directory}/body;"
        f"client_max_body_size 0; client_body_buffer_size 1m; server {{ listen 127.0.0.1:{nginx};"
        f"location / {{ root {directory}/written; dav_methods PUT; }} }} }}"
    )
    address = "http://127.0.0.1:{}".format
    here = str(Path(__file__).parent)
    uvicorn = [sys.executable, "-m", "uvicorn", "--app-dir", here, "--loop", "uvloop", "--log-level", "error"]
    with (
        measure.server([sys.executable, "-m", "isobay", "serve", "--port", str(isobay)], address(isobay), environment),
        measure.server([NGINX, "-e", f"{directory}/error.log", "-c", str(configuration)], address(nginx), environment),
        measure.server([*uvicorn, "--port", str(floor), "uploads:discard"], address(floor), environment),
    ):
        yield Bench(directory, address(isobay), address(nginx), address(floor))


def compare(mib: int, runs: int) -> None:
    """Measure one size beside each of them."""
    if not Path(NGINX).exists() or not shutil.which("curl"):
        sys.exit("This workload needs nginx and curl: sudo apt-get install nginx-light curl")
    with TemporaryDirectory(dir=measure.scratch()) as name:
        directory = Path(name)
        if shutil.disk_usage(directory).free < 3 * mib * MIB:
            sys.exit(f"{directory} has less than the {3 * mib} MiB free that this workload needs.")
        (directory / "written").mkdir()
        make_image(directory / "bench.iso", mib)
        with bench(directory) as running:
            running.ours()  # reads the rules, and the image into memory
            for peer, theirs in (
                ("nginx PUT", running.theirs),
                ("nginx+openssl", lambda: running.theirs("openssl", "dgst", "-sha256")),
                ("nginx+sync", lambda: running.theirs("sync")),
                ("thrown away", running.thrown_away),
            ):
                report(f"PUT of {mib:,} MiB", beside(running.ours, theirs, runs), "MB/s", peer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mib", type=int, default=2048)
    parser.add_argument("--runs", type=int, default=measure.RUNS)
    arguments = parser.parse_args()
    compare(arguments.size_mib, arguments.runs)
