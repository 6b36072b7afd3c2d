"""Instances: from the request to the guest's first output, beside virsh with the same domain; and lists of 200.

It needs root, 8 GiB of memory, and runs a libvirt of its own; its guests are emulated where KVM is not proven.
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
from uuid import uuid4

import httpx

import measure
from isobay.app import build
from isobay.catalog import InstanceRecord, KeptInstance
from isobay.clock import utc_now
from isobay.engines.local.instance_sizes import CUSTOM
from isobay.hypervisor import Drive, Guest, Hypervisor
from isobay.hypervisor.opening import open_hypervisor
from isobay.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from guests import FIRST_LINE, guest_image
from hypervisors import Libvirt, libvirt

KEY = "bench-key-of-the-administrator"
INSTANCES = "/v1/services/compute-on/test_area/instances"
GUESTS = 200
RUNNING = 90  # the tests' libvirt has ports for 100 consoles
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


def time_lists(client: httpx.Client, host: Libvirt, data_dir: Path) -> None:
    """Measure what a list of many instances takes, all of them read from libvirt: switched off, and running."""
    built = build(Settings.load({}, data_dir=data_dir))
    place = built.door.operate("test_area").place
    with built.catalog.reading() as tx:
        installation = built.catalog.instances.installation(tx)
        zone = built.catalog.connections.zones(tx, place.connection_id)[0]
    hypervisor = open_hypervisor(host.uri, installation, data_dir)
    guests = [_guest(number, hypervisor) for number in range(GUESTS)]
    with built.catalog.writing() as tx:
        for guest in guests:  # the rows first: a guest without one is taken away
            built.catalog.instances.add(tx, _kept(guest, place.environment_id, zone.id))
    built.catalog.close()
    for guest in guests:
        hypervisor.define(guest)
    time_list(client, 0)
    for guest in guests[:RUNNING]:
        hypervisor.start(guest.id)
    time_list(client, RUNNING)


def time_list(client: httpx.Client, running: int) -> None:
    """Measure one list over HTTP, of which so many run."""
    taken: list[float] = []
    for _ in range(LIST_RUNS):
        began = monotonic()
        answer = client.get(INSTANCES).raise_for_status()
        taken.append(monotonic() - began)
        states = [each["state"] for each in answer.json()["data"]]
        assert states == ["Running"] * running + ["Stopped"] * (GUESTS - running)
    median, longest = statistics.median(taken) * 1000, max(taken) * 1000
    what = f"list of {GUESTS} instances, {running} running"
    print(f"{what:<44} isobay {median:>10.4g} ms    of 100 ms, longest {longest:.4g} ms", flush=True)


def _guest(number: int, hypervisor: Hypervisor) -> Guest:
    guest_id = str(uuid4())
    return Guest(
        id=guest_id,
        name=f"guest {number}",
        environment_id="bench",
        owner="bench",
        cpu_count=1,
        memory_mb=64,
        architecture="x86_64",
        firmware="bios",
        disk=hypervisor.make_disk(guest_id, 1),
        drives=(Drive(0, None),),
        network="none",
        mac=f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}",
    )


def _kept(guest: Guest, environment_id: str, zone_id: str) -> KeptInstance:
    now = utc_now()
    record = InstanceRecord(
        name=guest.name,
        owner=guest.owner,
        cpu_count=guest.cpu_count,
        memory_mb=guest.memory_mb,
        disk_gb=1,
        architecture=guest.architecture,
        firmware="bios",
        network="none",
        mac=guest.mac,
        offering_id=CUSTOM.id,
        image_id="",
        image_name="",
        created=now,
        updated=now,
        disk=guest.disk,
    )
    return KeptInstance(guest.id, environment_id, zone_id, "", record)


def main() -> None:
    """Measure both."""
    if os.geteuid() != 0 or not shutil.which("libvirtd"):
        sys.exit("This workload needs root and Debian's libvirt-daemon-system: it runs a libvirt of its own.")
    with libvirt() as host:
        data_dir = host.data_dir()
        with serving(data_dir, host.uri) as client:
            compare_boots(client, host, data_dir)
            time_lists(client, host, data_dir)


if __name__ == "__main__":
    main()
