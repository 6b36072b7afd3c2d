"""Services and workers killed while instances are made, changed and taken away.

What was answered holds, catalogue and libvirt agree, and nothing is left.
"""

from __future__ import annotations

import random
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
from forked import Services
from series import CHANCE, Workers, check_nothing_left

from hypervisors import Libvirt
from images import image
from processes import until, works
from service import SEED, Service

KILLS = 50
AT_ONCE = 3
LATEST_SECONDS = 0.8  # a guest takes about half a second to be made and started
LATEST_ANSWER_SECONDS = 0.1  # what the client has to ask takes about as long
INSTANCES = f"{SEED}/instances"
SIZE = {"cpuCount": 1, "memoryInMB": 64, "rootVolumeSizeInGb": 1, "firmware": "bios"}


class Instances:
    """Some instances at a time: each is made, given an ISO, loses it, and is purged.

    Their client asks for one thing at a time, believes what it is told, and looks for what nobody lived to tell.
    """

    def __init__(self, service: Service, boots: str, data: str, chance: random.Random) -> None:
        self._service = service
        self._boots = boots
        self._data = data
        self._chance = chance
        self._tasks: dict[str, str] = {}
        self._heard: set[str] = set()
        self._isos: dict[str, set[int]] = {}  # how many an instance may hold when its work has ended; 0 if it is gone
        self.untold = 0
        self.ended: list[dict[str, Any]] = []

    def go_on(self) -> None:
        """Ask for the next thing of every instance that has no work, and for a new one where there is room."""
        for instance in self._without_work():
            self._ask_next(instance)
        while len(self._tasks) < AT_ONCE:
            self._ask("POST", INSTANCES, {"name": "killed", "isoId": self._boots, **SIZE}, 1)

    def go_on_until_killed(self) -> None:
        """Do that again and again until the service is killed: at any time, or as soon as it wrote what is not told."""
        moment = self._chance.uniform(0, LATEST_ANSWER_SECONDS), self._chance.random() < 0.5
        killer = Thread(target=self._kill, args=moment)
        self._without_work()  # so that it has found its host before it has to die
        killer.start()
        try:
            while True:
                self.go_on()
        except httpx.TransportError:
            killer.join()
            self._service.process.wait()

    def go_on_with(self, service: Service) -> None:
        """Let another service answer, and follow what the last one may have begun and did not live to tell."""
        self._service = service
        untold = self._unheard()
        assert len(untold) <= 1, "only one thing was asked for"
        for instance_id, task_id in untold:
            self._follow(instance_id, task_id, self._isos.get(instance_id, {1}))
        self.untold += len(untold)

    def finish(self) -> None:
        """Wait until all work has ended, and take all instances away."""
        for instance in self._at_rest():
            self._purge(instance)
        assert self._at_rest() == []

    def check(self, libvirt: Libvirt) -> None:
        """Wait until all work has ended; then libvirt shows the instances as the catalogue does, and no others."""
        shown = self._at_rest()
        assert {each["id"] for each in shown} == set(libvirt.virsh("list", "--all", "--uuid").split())
        for instance in shown:
            assert instance["state"] == "Running", instance
            images = libvirt.domain(instance["id"]).iterfind("devices/disk[@device='cdrom']/source[@file]")
            assert len(list(images)) == len(instance["isos"]), instance

    def _kill(self, seconds: float, when_written: bool) -> None:
        Event().wait(seconds)
        if when_written:
            until(self._unheard, 5 * LATEST_ANSWER_SECONDS)
        self._service.process.kill()

    def _unheard(self) -> list[tuple[str, str]]:
        """The instances, each with its task, of whose work the client was not told."""
        with self._service.behind.catalog.reading() as tx:
            rows = self._service.behind.catalog.instances.all(tx)
        return [(row.id, row.task_id) for row in rows if row.task_id not in self._heard]

    def _ask_next(self, instance: dict[str, Any]) -> None:
        path = f"{INSTANCES}/{instance['id']}?operation="
        if self._chance.random() < 0.3:
            self._purge(instance)
        elif len(instance["isos"]) == 1:
            self._ask("POST", f"{path}attachIso", {"isoId": self._data, "slot": 1}, 2, instance["id"])
        else:
            self._ask("POST", f"{path}detachIso", {"slot": 1}, 1, instance["id"])

    def _purge(self, instance: dict[str, Any]) -> None:
        self._ask("DELETE", f"{INSTANCES}/{instance['id']}", {"purgeImmediately": True}, 0, instance["id"])

    def _ask(self, method: str, path: str, body: dict[str, Any], isos: int, instance_id: str = "") -> None:
        """Ask for something, after which the instance holds so many ISOs."""
        if instance_id:
            self._isos[instance_id].add(isos)
        answer = self._service.client().request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        self._follow(answer.json()["data"]["id"], answer.json()["taskId"], {isos})

    def _follow(self, instance_id: str, task_id: str, isos: set[int]) -> None:
        self._tasks[instance_id] = task_id
        self._heard.add(task_id)
        self._isos[instance_id] = isos

    def _at_rest(self) -> list[dict[str, Any]]:
        """All instances, when all work has ended."""
        assert until(self._is_idle), self._tasks
        return self._without_work()

    def _without_work(self) -> list[dict[str, Any]]:
        """The instances that nothing goes on with, which hold what they were given; what was purged is gone."""
        self._gather()
        shown = {each["id"]: each for each in self._service.get(INSTANCES)}
        assert shown.keys() <= self._isos.keys(), "somebody asked for each of them"
        for instance_id in self._isos.keys() - self._tasks.keys():
            isos = len(shown[instance_id]["isos"]) if instance_id in shown else 0
            assert isos in self._isos[instance_id], (instance_id, isos, self._isos[instance_id])
            self._isos[instance_id] = {isos}
        return [each for each in shown.values() if each["id"] not in self._tasks]

    def _gather(self) -> None:
        for instance_id, task_id in list(self._tasks.items()):
            answer = self._service.client().get(f"/v1/tasks/{task_id}")
            assert answer.status_code == 200, answer.text
            task = answer.json()
            if task["taskStatus"] != "PENDING":
                assert task["taskStatus"] == "SUCCESS", task.get("errors")
                self.ended.append(task)
                del self._tasks[instance_id]

    def _is_idle(self) -> bool:
        self._gather()
        return not self._tasks


def test_all_may_be_killed_while_they_work_on_instances(tmp_path: Path, libvirt_server: Libvirt):
    """After every kill the work goes on to its end; no domain, disk or row is left over, and none is lost."""
    data_dir, chance = libvirt_server.data_dir(), random.Random(CHANCE)
    hosted = {"ISOBAY_LIBVIRT": libvirt_server.uri}
    with Services(data_dir, **hosted) as services, Workers(data_dir, **hosted) as workers:
        service = services.start()
        boots = service.add(image(tmp_path / "boots.iso", {"boots.txt": ""}), "boots")
        service.client().put(f"{SEED}/isos/{boots['id']}", json={"bootable": True})
        data = service.add(image(tmp_path / "data.iso", {"data.txt": ""}), "data")
        instances = Instances(service, boots["id"], data["id"], chance)
        workers.start()
        for kill in range(KILLS):
            assert until(lambda: works(data_dir))
            if kill % 2:
                instances.go_on_until_killed()
                service = services.start()
                instances.go_on_with(service)
            else:
                # Only now the next one, so that the older of the two always is the one that works.
                workers.start()
                instances.go_on()
                Event().wait(chance.uniform(0, LATEST_SECONDS))
                workers.kill()
            if kill % 10 == 9:
                instances.check(libvirt_server)
        instances.finish()
        assert until(lambda: libvirt_server.virsh("list", "--all", "--uuid") == "")
        for iso in (boots, data):
            assert service.client().delete(f"{SEED}/isos/{iso['id']}").status_code == 200, "no drive holds it"
        workers.end()
        check_nothing_left(service.behind)
        assert {path.name for path in (data_dir / "guests").iterdir()} <= {"switch-off.img"}
        with service.behind.catalog.reading() as tx:
            worked_on = [service.behind.catalog.tasks.get(tx, task["taskId"]) for task in instances.ended]
            assert list(service.behind.catalog.instances.all(tx)) == []
        assert any(task and task.attempt > 1 for task in worked_on), "workers were killed in the middle of work"
        assert instances.untold, "services were killed between the row and the answer"
