"""A real isobay for the tests: the command, in a process, on a free port, with a data directory of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from isobay.app import Isobay, build
from isobay.settings import Settings

KEY = "key-of-the-first-administrator"
SEED = "/v1/services/compute-on/test_area"


@dataclass
class Service:
    """A running service, and what lies behind it."""

    address: str
    greeting: str
    behind: Isobay
    process: subprocess.Popen[str]
    clients: dict[str, httpx.Client] = field(default_factory=dict)

    def client(self, key: str = KEY) -> httpx.Client:
        """A client that sends this key."""
        if key not in self.clients:
            headers = {"MC-Api-Key": key} if key else {}
            self.clients[key] = httpx.Client(base_url=self.address, headers=headers, timeout=30)
        return self.clients[key]

    def add(self, path: Path, name: str = "", environment: str = "test_area") -> dict[str, Any]:
        """Put a local file on the shelf, as the operator does; the ISO as the API shows it."""
        visit = self.behind.door.operate(environment)
        iso = self.behind.adder.add_file(visit.place, path, name, lambda _done, _total: None)
        return self.get(f"/v1/services/compute-on/{environment}/isos/{iso.id}")

    def get(self, url: str, /, key: str = KEY, **parameters: Any) -> Any:
        """The ``data`` of an answer that must be 200."""
        answer = self.client(key).get(url, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def new_environment(self, name: str) -> str:
        """Make an environment; its id."""
        answer = self.client().post("/v1/environments", json={"name": name, "description": name})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["id"])

    def new_key(self, role: str, *environments: str) -> str:
        """Make a key for environments given by their ids; its secret."""
        body = {"name": f"{role} for tests", "role": role, "environments": list(environments)}
        answer = self.client().post("/v1/api_keys", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["apiKey"])


def environment(**options: str) -> dict[str, str]:
    """The variables of this process without isobay's own, and with some; no boot proofs unless they are asked for."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("ISOBAY_")}
    return {**others, "ISOBAY_BOOT_PROOF": "off", **options}


@contextmanager
def serving(
    data_dir: Path, *arguments: str, program: Sequence[str] = ("-m", "isobay", "serve"), **options: str
) -> Iterator[Service]:
    """Run ``isobay serve`` until the end of the block."""
    command = [sys.executable, *program, *arguments, "--port", "0", "--data-dir", str(data_dir)]
    process = subprocess.Popen(
        command, env=environment(**{"ISOBAY_ADMIN_KEY": KEY, **options}), stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert process.stdout
        greeting = process.stdout.readline()
        found = re.search(r"http://\S+?(?=/? )", greeting)
        assert found, f"isobay did not start: {greeting!r}"
        settings = Settings.load(
            {name: value for name, value in options.items() if name.startswith("ISOBAY_")}, data_dir=data_dir
        )
        behind = build(settings)
        service = Service(found[0], greeting, behind, process)
        try:
            yield service
        finally:
            for client in service.clients.values():
                client.close()
            behind.catalog.close()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
