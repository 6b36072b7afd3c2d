"""What every workload shares: servers beside each other, alternating runs, medians and ratios."""

from __future__ import annotations

import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

RUNS = 5


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def server(command: list[str], address: str, environment: dict[str, str]) -> Iterator[None]:
    """Run a server until the end of the block; it answers at ``address`` from the beginning of it."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 -- an address of our own on loopback
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def requests_per_second(
    address: str, seconds: int = 3, connections: int = 8, header: str = "", paths: list[str] | None = None
) -> float:
    """What one address gives under load from wrk; with ``paths``, each of them in turn."""
    if shutil.which("wrk") is None:
        sys.exit("This workload needs wrk: sudo apt-get install wrk")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *(["-H", header] if header else [])]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if paths:
            listed = ",".join(f'"{path}"' for path in paths)
            script.write(
                f"local paths, at = {{{listed}}}, 0\n"
                "request = function() at = at % #paths + 1; return wrk.format(nil, paths[at]) end\n"
            )
            script.flush()
            command += ["-s", script.name]
        said = subprocess.run([*command, address], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"{address} did not answer every request:\n{said}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found, said
    return float(found[1])


def beside(ours: Callable[[], float], theirs: Callable[[], float], runs: int = RUNS) -> tuple[float, float, float]:
    """Alternate two measurements; the medians of both, and the median of the runs' ratios."""
    pairs = [(ours(), theirs()) for _ in range(runs)]
    return (
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        statistics.median(pair[0] / pair[1] for pair in pairs),
    )


def report(what: str, figures: tuple[float, float, float], unit: str, peer: str) -> None:
    """Print a line: our figure, the peer's, and the ratio."""
    ours, theirs, ratio = figures
    print(f"{what:<44} isobay {ours:>10.4g} {unit:<5} {peer} {theirs:>10.4g} {unit:<5} ratio {ratio:.2f}", flush=True)


def scratch() -> Path:
    """Where workloads put what is too large to make twice."""
    path = Path(tempfile.gettempdir()) / "isobay-bench"
    path.mkdir(exist_ok=True)
    return path
