"""An isobay in this process whose instances run on some host, and somebody who asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import msgspec

from isobay.access import OPERATOR, Visit
from isobay.app import Isobay, build
from isobay.hypervisor import Hypervisor
from isobay.model import Instance, Iso, IsoEdit, Listing, NewInstance, Task
from isobay.model.requests import NewEnvironment
from isobay.settings import Settings
from isobay.telemetry import logs

PATIENCE_SECONDS = 60
SMALL = {"cpu_count": 1, "memory_in_mb": 64, "root_volume_size_in_gb": 1}


class Rack:
    """Instances under test, as they are asked for in the environment ``here``; ``beside`` is somebody else's."""

    def __init__(self, built: Isobay, hypervisor: Hypervisor) -> None:
        self.built = built
        self.hypervisor = hypervisor
        built.environments.create(OPERATOR, NewEnvironment(name="beside"))
        self.here = self.enter("test_area")
        self.beside = self.enter("beside")
        self.instances = self.here.engine.instances

    def enter(self, name: str) -> Visit:
        """Go into an environment."""
        return self.built.door.operate(name)

    def shelve(self, path: Path, name: str, visit: Visit | None = None, **known: object) -> Iso:
        """Put an image on the shelf; ``known`` are fields that are told of it instead of what is read out of it."""
        place = (visit or self.here).place
        iso = self.built.adder.add_file(place, path, name, lambda _done, _all: None)
        return self.say(iso, **known)

    def say(self, iso: Iso, **fields: object) -> Iso:
        """Write other fields into an ISO's record."""
        with self.built.catalog.writing() as tx:
            kept = self.built.catalog.isos.by_id(tx, iso.id)
            assert kept
            place = self.built.catalog.places.by_id(tx, kept.environment_id)
            assert place
            iso = msgspec.structs.replace(kept.iso, **fields)
            self.built.catalog.isos.replace(tx, place, iso)
        return iso

    def publish(self, iso: Iso, *, publicly: bool = True) -> None:
        """Let all environments see an ISO, or only its own."""
        self.here.engine.edit_iso(self.here.place, iso.id, IsoEdit(available_publicly=publicly))

    def ask(self, iso: Iso, visit: Visit | None = None, **fields: Any) -> tuple[Instance, Task]:
        """Ask for a small instance."""
        visit = visit or self.here
        wanted = NewInstance(**{"name": "guest", "iso_id": iso.id, **SMALL, **fields})
        return visit.engine.instances.create(visit.place, visit.identity, wanted)

    def make(self, iso: Iso, visit: Visit | None = None, **fields: Any) -> Instance:
        """Make a small instance, which must succeed; it as it is then."""
        visit = visit or self.here
        instance, task = self.ask(iso, visit, **fields)
        self.done(task)
        return visit.engine.instances.get(visit.place, instance.id)

    def do(self, operation: str, instance: Instance, *arguments: Any, **options: Any) -> Instance | None:
        """Have something done with an instance, which must succeed; it as it is then, None where it is gone."""
        _, task = getattr(self.instances, operation)(self.here.place, instance.id, *arguments, **options)
        self.done(task)
        return None if task.kind == "instance.purge" else self.get(instance)

    def get(self, instance: Instance) -> Instance:
        """The instance as it is now."""
        return self.instances.get(self.here.place, instance.id)

    def all(self, **listing: Any) -> list[Instance]:
        """The instances of the environment, as a list tells them."""
        return list(self.instances.list(self.here.place, Listing(**listing)).items)

    def ended(self, task: Task) -> Task:
        """The task when it has ended."""

        def look() -> Task | None:
            with self.built.catalog.reading() as tx:
                found = self.built.catalog.tasks.get(tx, task.id)
            assert found
            return found if found.ended else None

        return until(look, f"{task.kind} ends")

    def done(self, task: Task) -> Task:
        """The task when it has ended, which must be well."""
        ended = self.ended(task)
        assert ended.status == "SUCCESS", ended
        return ended

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run a worker until the end of the block."""
        stop = Event()
        with ThreadPoolExecutor(2) as threads:
            running = [threads.submit(each, stop) for each in (self.built.runner.run, self.built.watching.run)]
            try:
                yield
            finally:
                stop.set()
            for each in running:
                each.result(PATIENCE_SECONDS)


def until(look: Callable[[], Any], what: str) -> Any:
    """Look until there is something, and give it."""
    deadline = monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert monotonic() < deadline, f"waited in vain until {what}"
        Event().wait(0.02)
    return found


@contextmanager
def logged() -> Iterator[StringIO]:
    """Keep what this process writes to its log until the end of the block."""
    with redirect_stderr(StringIO()) as written:
        logs.configure("warning", "text")
        yield written
    logs.configure("warning", "text")


def built_on(hypervisor: Hypervisor, data_dir: Path, **options: str) -> Rack:
    """Build an isobay on a host."""
    settings = Settings.load({}, data_dir=data_dir, **options)
    return Rack(build(settings, connect=lambda _uri: hypervisor), hypervisor)
