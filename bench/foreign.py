"""How long an environment's key waits for its 404: for an id of another environment, and for one that nobody has.

Who could tell the two apart could find out what others have. The requests alternate on one connection, and the answers
must be the same bytes, but for the id that was asked for.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import measure
from imports import KEY, make_image

SERVICE = "/v1/services/compute-on"
ASKED = {"ISO": "isos/{}", "content": "isos/{}/content", "files": "isos/{}/files", "upload": "uploads/{}"}
SEED = 20261123
WARM_UP = 200


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method: str, path: str, key: str, body: Any = None) -> tuple[int, bytes]:
        """Ask; the status and the body."""
        headers = {"MC-Api-Key": key, "Tus-Resumable": "1.0.0"}
        self._connection.request(method, path, json.dumps(body).encode() if body else None, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def made(self, path: str, body: Any) -> Any:
        """Make something; what is told of it."""
        status, said = self.ask("POST", path, KEY, body)
        if status != 200:
            sys.exit(f"{path} was refused: {said.decode()}")
        return json.loads(said)["data"]


def compare(count: int) -> None:
    """Measure every kind of request."""
    with TemporaryDirectory(dir=measure.scratch()) as name:
        directory, port = Path(name), measure.free_port()
        environment = {
            **os.environ,
            "ISOBAY_DATA_DIR": str(directory / "data"),
            "ISOBAY_ADMIN_KEY": KEY,
            "ISOBAY_LOG_LEVEL": "error",
            "ISOBAY_TASKS_AT_ONCE": "0",
        }
        image = directory / "bench.iso"
        make_image(image, 2)
        command = [sys.executable, "-m", "isobay", "serve", "--port", str(port)]
        with measure.server(command, f"http://127.0.0.1:{port}/healthz", environment):
            client = Client(port)
            there = client.made("/v1/environments", {"name": "elsewhere", "description": ""})
            key = {"name": "foreign", "role": "editor", "environments": [there["id"]]}
            secret = client.made("/v1/api_keys", key)["apiKey"]
            upload = ["curl", "-sS", "-f", "-H", f"MC-Api-Key: {KEY}", "-T", str(image)]
            said = subprocess.run(
                [*upload, f"http://127.0.0.1:{port}{SERVICE}/test_area/uploads/"], check=True, stdout=subprocess.PIPE
            )
            foreign = json.loads(said.stdout)["data"]["id"]
            for what, path in ASKED.items():
                _report(what, client, f"{SERVICE}/elsewhere/{path}", secret, foreign, count)


def _report(what: str, client: Client, path: str, key: str, foreign: str, count: int) -> None:
    chance = random.Random(SEED)  # noqa: S311 -- the same in every run
    nobodys = str(uuid4())
    seconds: dict[bool, list[float]] = {True: [], False: []}
    answers = set()
    for number in range(count + WARM_UP):
        for is_foreign in chance.sample([True, False], 2):
            asked = foreign if is_foreign else nobodys
            began = time.perf_counter()
            status, said = client.ask("GET", path.format(asked), key)
            took = time.perf_counter() - began
            answers.add((status, said.replace(asked.encode(), b"ID")))
            if number >= WARM_UP:
                seconds[is_foreign].append(took)
    if len(answers) != 1:
        sys.exit(f"The answers differ for {what}: {answers}")
    ours, theirs = (statistics.median(seconds[each]) * 1e6 for each in (True, False))
    print(
        f"404 for {what:<8} another's {ours:>7.1f} µs  nobody's {theirs:>7.1f} µs  ratio {ours / theirs:.3f}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="of requests of each kind")
    compare(parser.parse_args().count)
