"""Instances: from the request to the guest's first output, beside virsh with the same domain; and a list of 200.

It needs root, and runs a libvirt of its own; its guest is emulated where KVM is not proven.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import httpx

import measure
from isobay.app import build
from isobay.hypervisor import Drive, Guest, Hypervisor
from isobay.hypervisor.opening import open_hypervisor
from isobay.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from guests import FIRST_LINE, guest_image
from hypervisors import Libvirt, libvirt

KEY = "bench-key-of-the-administrator"
INSTANCES = "/v1/services/compute-on/test_area/instances"
GUESTS = 200
LIST_RUNS = 20
PATIENCE_SECONDS = 120


@contextmanager
def serving(data_dir: Path, uri: str) -> Iterator[httpx.Client]:
    """Run isobay; a client that has the key."""
    address = f"http://127.0.0.1:{measure.free_port()}"
    command = [
        sys.executable,
        "-m",
        "isobay",
        "serve",
        "--port",
        address.rpartition(":")[2],
        "--data-dir",
        str(data_dir),
    ]
    here = {
        **os.environ,
        "ISOBAY_LIBVIRT": uri,
        "ISOBAY_BOOT_PROOF": "off",
        "ISOBAY_ADMIN_KEY": KEY,
        "ISOBAY_LOG_LEVEL": "warning",
    }
    with (
        measure.server(command, f"{address}/healthz", here),
        httpx.Client(base_url=address, headers={"MC-Api-Key": KEY}, timeout=60) as client,
    ):
        yield client


def first_output(log: Path, since: float) -> float:
    """Seconds until the guest says its first line."""
    while not (log.exists() and FIRST_LINE in log.read_text(errors="replace")):
        if monotonic() - since > PATIENCE_SECONDS:
            sys.exit(f"The guest said nothing in {PATIENCE_SECONDS} seconds.")
        sleep(0.01)
    return monotonic() - since


class Boots:
    """Boots of one image: by a request to isobay, and by virsh with the domain that isobay would make."""

    def __init__(self, client: httpx.Client, host: Libvirt, data_dir: Path, iso_id: str) -> None:
        self._client = client
        self._host = host
        self._guests = data_dir / "guests"
        self._iso_id = iso_id
        self._description = ""

    def by_isobay(self) -> float:
        """From the request that makes an instance to its guest's first output."""
        body = {"name": "bench", "isoId": self._iso_id, "cpuCount": 1, "memoryInMB": 256, "firmware": "bios"}
        began = monotonic()
        said = self._client.post(INSTANCES, json={**body, "rootVolumeSizeInGb": 1}).raise_for_status().json()
        instance_id = said["data"]["id"]
        taken = first_output(self._guests / f"{instance_id}.log", began)
        self._description = self._host.virsh("dumpxml", "--inactive", instance_id)
        options = {"purgeImmediately": True}
        self._client.request("DELETE", f"{INSTANCES}/{instance_id}", json=options).raise_for_status()
        while instance_id in self._host.virsh("list", "--all", "--uuid"):
            sleep(0.05)
        return taken

    def by_virsh(self) -> float:
        """From virsh's start to the first output of the same domain, its disk made before by qemu-img."""
        old, new = self._description.partition("<uuid>")[2].partition("</uuid>")[0], str(uuid4())
        # Not of isobay's own, which would take it away.
        description = self._description.replace(old, new).replace("urn:isobay:domain:1", "urn:other")
        disk = self._guests / f"{new}.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "1G"], check=True)
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(description)
            file.flush()
            began = monotonic()
            self._host.virsh("define", file.name)
            self._host.virsh("start", new)
        taken = first_output(self._guests / f"{new}.log", began)
        self._host.virsh("destroy", new)
        self._host.virsh("undefine", new)
        disk.unlink()
        return taken


def compare_boots(client: httpx.Client, host: Libvirt, data_dir: Path) -> None:
    """Measure boots."""
    image = guest_image(data_dir / "guest.iso")
    built = build(Settings.load({}, data_dir=data_dir))
    iso = built.adder.add_file(built.door.operate("test_area").place, image, "guest", lambda _done, _total: None)
    built.catalog.close()
    boots = Boots(client, host, data_dir, iso.id)
    boots.by_isobay()  # proves KVM, and fills caches
    measure.report("request to first output", measure.beside(boots.by_isobay, boots.by_virsh), "s", "virsh")


def time_list(host: Libvirt, data_dir: Path) -> None:
    """Measure what a list of many guests takes, all of them read from libvirt."""
    hypervisor = open_hypervisor(host.uri, "bench", data_dir)
    for number in range(GUESTS):
        hypervisor.define(_guest(number, hypervisor))
    taken: list[float] = []
    for _ in range(LIST_RUNS):
        began = monotonic()
        listed: dict[str, Any] = dict(hypervisor.all())
        taken.append(monotonic() - began)
        assert len(listed) == GUESTS
    median = statistics.median(taken)
    print(f"{f'list of {GUESTS} guests from libvirt':<44} isobay {median * 1000:>10.4g} ms    of 100 ms", flush=True)


def _guest(number: int, hypervisor: Hypervisor) -> Guest:
    guest_id = str(uuid4())
    return Guest(
        id=guest_id,
        name=f"guest {number}",
        environment_id="bench",
        owner="bench",
        cpu_count=1,
        memory_mb=256,
        architecture="x86_64",
        firmware="bios",
        disk=hypervisor.make_disk(guest_id, 1),
        drives=(Drive(0, None),),
        network="user",
        mac=f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}",
    )


def main() -> None:
    """Measure both."""
    if os.geteuid() != 0 or not shutil.which("libvirtd"):
        sys.exit("This workload needs root and Debian's libvirt-daemon-system: it runs a libvirt of its own.")
    with libvirt() as host:
        data_dir = host.data_dir()
        with serving(data_dir, host.uri) as client:
            compare_boots(client, host, data_dir)
        time_list(host, host.data_dir())


if __name__ == "__main__":
    main()
