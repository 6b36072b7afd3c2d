"""Workers killed while they make, change and take away instances: catalogue and libvirt agree, and nothing is left."""

from __future__ import annotations

import random
from pathlib import Path
from threading import Event
from typing import Any

from series import CHANCE, Workers

from hypervisors import Libvirt
from images import image
from processes import until, works
from service import SEED, Service, serving

KILLS = 50
AT_ONCE = 3
LATEST_SECONDS = 0.8  # a guest takes about half a second to be made and started
INSTANCES = f"{SEED}/instances"
SIZE = {"cpuCount": 1, "memoryInMB": 64, "rootVolumeSizeInGb": 1, "firmware": "bios"}


class Instances:
    """Some instances at a time: each is made, given an ISO, loses it, and is purged."""

    def __init__(self, service: Service, boots: str, data: str, chance: random.Random) -> None:
        self._service = service
        self._boots = boots
        self._data = data
        self._chance = chance
        self._tasks: dict[str, str] = {}
        self.ended: list[dict[str, Any]] = []

    def go_on(self) -> None:
        """Ask for the next thing of every instance that has no work, and for a new one where there is room."""
        self._gather()
        shown = {each["id"]: each for each in self._service.get(INSTANCES)}
        for instance_id in shown.keys() - self._tasks.keys():
            self._ask_next(shown[instance_id])
        while len(self._tasks) < AT_ONCE:
            self._ask("POST", INSTANCES, {"name": "killed", "isoId": self._boots, **SIZE})

    def finish(self) -> None:
        """Wait until all work has ended, and take all instances away."""
        for _ in range(2):
            assert until(self._is_idle), self._tasks
            for instance in self._service.get(INSTANCES):
                self._purge(instance["id"])
        assert self._service.get(INSTANCES) == []

    def check(self, libvirt: Libvirt) -> None:
        """Wait until all work has ended; then libvirt shows the instances as the catalogue does, and no others."""
        assert until(self._is_idle), self._tasks
        shown = self._service.get(INSTANCES)
        assert {each["id"] for each in shown} == set(libvirt.virsh("list", "--all", "--uuid").split())
        for instance in shown:
            assert instance["state"] == "Running", instance
            images = libvirt.domain(instance["id"]).iterfind("devices/disk[@device='cdrom']/source[@file]")
            assert len(list(images)) == len(instance["isos"]), instance

    def _ask_next(self, instance: dict[str, Any]) -> None:
        path = f"{INSTANCES}/{instance['id']}?operation="
        if self._chance.random() < 0.3:
            self._purge(instance["id"])
        elif len(instance["isos"]) == 1:
            self._ask("POST", f"{path}attachIso", {"isoId": self._data, "slot": 1})
        else:
            self._ask("POST", f"{path}detachIso", {"slot": 1})

    def _purge(self, instance_id: str) -> None:
        self._ask("DELETE", f"{INSTANCES}/{instance_id}", {"purgeImmediately": True})

    def _ask(self, method: str, path: str, body: dict[str, Any]) -> None:
        answer = self._service.client().request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        self._tasks[answer.json()["data"]["id"]] = answer.json()["taskId"]

    def _gather(self) -> None:
        for instance_id, task_id in list(self._tasks.items()):
            task = self._service.client().get(f"/v1/tasks/{task_id}").json()
            if task["taskStatus"] != "PENDING":
                assert task["taskStatus"] == "SUCCESS", task.get("errors")
                self.ended.append(task)
                del self._tasks[instance_id]

    def _is_idle(self) -> bool:
        self._gather()
        return not self._tasks


def test_workers_may_be_killed_while_they_work_on_instances(tmp_path: Path, libvirt_server: Libvirt):
    """After every kill the work goes on to its end; no domain, disk or row is left over, and none is lost."""
    data_dir, chance = libvirt_server.data_dir(), random.Random(CHANCE)
    hosted = {"ISOBAY_LIBVIRT": libvirt_server.uri}
    with (
        serving(data_dir, ISOBAY_TASKS_AT_ONCE="0", **hosted) as service,
        Workers(data_dir, **hosted) as workers,
    ):
        boots = service.add(image(tmp_path / "boots.iso", {"boots.txt": ""}), "boots")
        service.client().put(f"{SEED}/isos/{boots['id']}", json={"bootable": True})
        data = service.add(image(tmp_path / "data.iso", {"data.txt": ""}), "data")
        instances = Instances(service, boots["id"], data["id"], chance)
        workers.start()
        for kill in range(KILLS):
            # Only then the next one, so that the older of the two always is the one that works.
            assert until(lambda: works(data_dir))
            workers.start()
            instances.go_on()
            Event().wait(chance.uniform(0, LATEST_SECONDS))
            workers.kill()
            if kill % 10 == 9:
                instances.check(libvirt_server)
        instances.finish()
        assert until(lambda: libvirt_server.virsh("list", "--all", "--uuid") == "")
        workers.end()
        assert {path.name for path in (data_dir / "guests").iterdir()} <= {"switch-off.img"}
        with service.behind.catalog.reading() as tx:
            tasks = service.behind.catalog.tasks
            assert tasks.pending(tx, 1) == []
            worked_on = [tasks.get(tx, task["taskId"]) for task in instances.ended]
            assert any(task and task.attempt > 1 for task in worked_on), "the kills came in the middle of work"
            assert list(service.behind.catalog.instances.all(tx)) == []
