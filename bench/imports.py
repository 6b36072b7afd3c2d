"""An import from a URL, with its SHA-256 and its inspection, beside curl alone and curl with openssl behind it.

All three write to the same disk, from the same nginx on loopback, and what they wrote is deleted after each run.
isobay's time is from the POST to the end of its task, when the image is on the disk for certain; curl waits for no
disk, so a third peer does: what `sync` makes of it.
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
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measure
from measure import beside, report

KEY = "bench-key-of-the-administrator"
ISOS = "/v1/services/compute-on/test_area/isos"
MIB = 1 << 20
NGINX = "/usr/sbin/nginx"
LOOK_SECONDS = 0.01
MEMORY_GOAL_MIB = 150
AT_ONCE = 4
PEERS = {"curl -o": (), "curl+openssl": ("openssl", "dgst", "-sha256"), "curl+sync": ("sync",)}


class Bench:
    """A running service with a worker of its own, and where the images are."""

    def __init__(self, directory: Path, source: str, service: str, worker: subprocess.Popen[bytes]) -> None:
        self._directory = directory
        self._source = source
        self._service = service
        self._worker = worker

    def ours(self, name: str) -> float:
        """Import it; MB per second."""
        began = time.perf_counter()
        task = self._start(name)
        self._await(task)
        seconds = time.perf_counter() - began
        self._delete(task)
        return self._rate(name, seconds)

    def theirs(self, name: str, *then: str) -> float:
        """Fetch it by curl, and then run a command on the file; MB per second."""
        target = self._directory / "fetched.iso"
        began = time.perf_counter()
        subprocess.run(["curl", "-sS", "-f", "-o", target, f"{self._source}/{name}"], check=True)
        if then:
            subprocess.run([*then, target], check=True, stdout=subprocess.PIPE)
        seconds = time.perf_counter() - began
        target.unlink()
        return self._rate(name, seconds)

    def peak_mib(self, name: str) -> float:
        """Import it several times at once; the worker's largest resident memory in MiB."""
        tasks = [self._start(name) for _ in range(AT_ONCE)]
        for task in tasks:
            self._await(task)
        for task in tasks:
            self._delete(task)
        status = Path(f"/proc/{self._worker.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    def _start(self, name: str) -> Any:
        body = {"name": name, "description": "", "url": f"{self._source}/{name}"}
        return self._ask("POST", ISOS, body)

    def _await(self, task: Any) -> None:
        while (found := self._ask("GET", f"/v1/tasks/{task['taskId']}"))["taskStatus"] == "PENDING":
            time.sleep(LOOK_SECONDS)
        if found["taskStatus"] != "SUCCESS":
            sys.exit(f"The import failed: {found['message']}")

    def _delete(self, task: Any) -> None:
        self._ask("DELETE", f"{ISOS}/{task['data']['id']}")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 -- an address of our own on loopback
            self._service + path,
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"MC-Api-Key": KEY},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- the same
            return json.load(answer)

    def _rate(self, name: str, seconds: float) -> float:
        return (self._directory / "root" / name).stat().st_size / 1e6 / seconds


def make_image(path: Path, mib: int) -> None:
    """Make an ISO of random bytes, which no disk and no network can make smaller."""
    tree = path.with_suffix(".tree")
    tree.mkdir()
    with (tree / "payload.bin").open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))
    subprocess.run(["genisoimage", "-quiet", "-o", path, "-V", "BENCH", "-J", "-R", tree], check=True)
    shutil.rmtree(tree)


@contextmanager
def serving_files(directory: Path) -> Iterator[str]:
    """Serve ``root`` in the directory by nginx; its address."""
    port = measure.free_port()
    account = "user root;" if os.geteuid() == 0 else ""  # another account may not read temporary directories
    temporary = " ".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"daemon off; {account} worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;"
        f"events {{ }} http {{ access_log off; sendfile on; {temporary}"
        f"server {{ listen 127.0.0.1:{port}; root {directory}/root; }} }}"
    )
    address = f"http://127.0.0.1:{port}"
    with measure.server([NGINX, "-e", f"{directory}/error.log", "-c", str(configuration)], address, {**os.environ}):
        yield address


@contextmanager
def bench(directory: Path) -> Iterator[Bench]:
    """Run nginx, the service and its worker."""
    port = measure.free_port()
    environment = {
        **os.environ,
        "ISOBAY_DATA_DIR": str(directory / "data"),
        "ISOBAY_ADMIN_KEY": KEY,
        "ISOBAY_ALLOWED_NETWORKS": "127.0.0.0/8",
        "ISOBAY_LOG_LEVEL": "error",
    }
    isobay = [sys.executable, "-m", "isobay"]
    service = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        source = stack.enter_context(serving_files(directory))
        alone = {**environment, "ISOBAY_TASKS_AT_ONCE": "0"}
        command = [*isobay, "serve", "--port", str(port)]
        stack.enter_context(measure.server(command, f"{service}/healthz", alone))
        worker = subprocess.Popen([*isobay, "worker"], env=environment)
        stack.callback(worker.wait, 30)
        stack.callback(worker.terminate)
        yield Bench(directory, source, service, worker)


def compare(mib: int, large_mib: int, runs: int) -> None:
    """Measure one size, and the memory of several imports at once."""
    with TemporaryDirectory(dir=measure.scratch()) as name:
        directory = Path(name)
        needed = max(3 * mib, mib + AT_ONCE * large_mib + 1024) * MIB
        if shutil.disk_usage(directory).free < needed:
            sys.exit(f"{directory} has less than the {needed} bytes free that this workload needs.")
        root = directory / "root"
        root.mkdir()
        make_image(root / "bench.iso", mib)
        with bench(directory) as running:
            running.ours("bench.iso")  # reads the rules, and everything into memory
            for peer, then in (
                ("curl -o", ()),
                ("curl+openssl", ("openssl", "dgst", "-sha256")),
                ("curl+sync", ("sync",)),
            ):
                figures = beside(
                    lambda: running.ours("bench.iso"),
                    lambda: running.theirs("bench.iso", *then),  # noqa: B023 -- called at once
                    runs,
                )
                report(f"import of {mib:,} MiB", figures, "MB/s", peer)
        if large_mib:
            compare_memory(directory, large_mib)


def compare_memory(directory: Path, mib: int) -> None:
    """Measure what several large imports at once cost the worker."""
    large = directory / "root" / "large.iso"
    make_image(large, 1)
    os.truncate(large, mib * MIB)
    with bench(directory) as running:
        peak = running.peak_mib("large.iso")
    what = f"memory of {AT_ONCE} imports of {mib:,} MiB"
    report(what, (peak, MEMORY_GOAL_MIB, peak / MEMORY_GOAL_MIB), "MiB", "goal")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mib", type=int, default=2048)
    parser.add_argument("--large-mib", type=int, default=7630, help="of each import at once; 0 leaves them out")
    parser.add_argument("--runs", type=int, default=measure.RUNS)
    arguments = parser.parse_args()
    compare(arguments.size_mib, arguments.large_mib, arguments.runs)
