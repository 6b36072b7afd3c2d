"""Who may do what: every role, every operation, on what is its own, shared with it, public, another's and not there.

The rows are operations, by the names of their endpoints; what each cell must be follows from the row's right and
from whose the object is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from hosted import hosted
from isobay.http.application import ENDPOINTS
from service import Service

RIGHTS = {
    "viewer": {"read"},
    "editor": {"read", "write"},
    "owner": {"read", "write", "manage"},
    "administrator": {"read", "write", "manage", "administer"},
}
NEW = {"name": "new", "description": "", "url": "https://example.org/a.iso"}
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "40960", "Upload-Metadata": "name bmV3"}
# A link and a ticket need no key. The others let in whom get_upload lets in, and have tests of their own.
ELSEWHERE = {"get_download", "get_console", "continue_upload", "override_upload", "put_upload"}


class Row(NamedTuple):
    """An operation: the right that it needs, and the status with which it answers who has it."""

    method: str
    tail: str
    right: str
    status: int
    body: Any = None


ISOS = {
    "get_iso": Row("GET", "", "read", 200),
    "list_iso_files": Row("GET", "/files", "read", 200),
    "get_iso_file": Row("GET", "/files/content?path=/readme.txt", "read", 200),
    "get_iso_content": Row("GET", "/content", "read", 200),
    "generate_download_url": Row("POST", "?operation=generateDownloadUrl", "read", 200),
    "edit_iso": Row("PUT", "", "write", 200, {"description": "edited"}),
    "retry_iso": Row("POST", "?operation=retry", "write", 409),
    "prove_iso": Row("POST", "?operation=prove", "write", 409),
    "get_picture": Row("GET", "/picture", "read", 404),
    "delete_iso": Row("DELETE", "", "write", 200),
}
UPLOADS = {
    "get_upload": Row("GET", "", "write", 200),
    "delete_upload": Row("DELETE", "", "write", 204),
}
# Nobody works on tasks in this world: what an instance waits for, its being made, goes on for ever.
INSTANCES = {
    "get_instance": Row("GET", "", "read", 200),
    "get_screenshot": Row("GET", "/screenshot", "read", 409),
    "edit_instance": Row("PUT", "", "write", 200, {"name": "edited"}),
    "start_instance": Row("POST", "?operation=start", "write", 409),
    "stop_instance": Row("POST", "?operation=stop", "write", 409),
    "reboot_instance": Row("POST", "?operation=reboot", "write", 409),
    "attach_iso": Row("POST", "?operation=attachIso", "write", 409, {"isoId": "none"}),
    "detach_iso": Row("POST", "?operation=detachIso", "write", 409),
    "recover_instance": Row("POST", "?operation=recover", "write", 409),
    "purge_instance": Row("POST", "?operation=purge", "write", 409),
    "get_console_ticket": Row("POST", "?operation=getConsole", "write", 409),
    "destroy_instance": Row("DELETE", "", "write", 409),
}
INSIDE = {
    "list_isos": Row("GET", "/isos", "read", 200),
    "import_iso": Row("POST", "/isos", "write", 200, NEW),
    "inspect_url": Row("POST", "/isos?operation=inspectUrl", "write", 400, {"url": "no url"}),
    "start_upload": Row("POST", "/uploads", "write", 201),
    "list_instances": Row("GET", "/instances", "read", 200),
    "create_instance": Row("POST", "/instances", "write", 400, {}),
    "attach_to_instance": Row("POST", "/isos/none?operation=attach", "write", 404, {"instanceId": "none"}),
    "list_compute_offerings": Row("GET", "/computeofferings", "read", 200),
    "get_compute_offering": Row("GET", "/computeofferings/none", "read", 404),
    "list_zones": Row("GET", "/zones", "read", 200),
    "get_zone": Row("GET", "/zones/none", "read", 404),
    "list_os_types": Row("GET", "/ostypes", "read", 200),
    "get_os_type": Row("GET", "/ostypes/none", "read", 404),
}
ENVIRONMENTS = {
    "get_environment": Row("GET", "", "read", 200),
    "edit_environment": Row("PUT", "", "manage", 200, {"description": "edited"}),
    "delete_environment": Row("DELETE", "", "manage", 409),
}
TASKS = {
    "get_task": Row("GET", "", "read", 200),
    "follow_task": Row("GET", "/events", "read", 200),
    "cancel_task": Row("POST", "?operation=cancel", "write", 409),
}
KEYS = {"delete_key": Row("DELETE", "", "manage", 204)}
ALL = {
    "list_environments": Row("GET", "/environments", "read", 200),
    "create_environment": Row("POST", "/environments", "administer", 400, {}),
    "list_connections": Row("GET", "/services/connections", "read", 200),
    "get_connection": Row("GET", "/services/connections/none", "read", 404),
    "create_connection": Row("POST", "/services/connections", "administer", 400, {}),
    "test_connection": Row("POST", "/services/connections/none/test", "administer", 404),
    "list_roles": Row("GET", "/roles", "read", 200),
    "list_keys": Row("GET", "/api_keys", "read", 200),
    "create_key": Row("POST", "/api_keys", "manage", 400, {}),
    "list_activity": Row("GET", "/activity_log", "read", 200),
}
TABLES = (ISOS, INSTANCES, UPLOADS, INSIDE, ENVIRONMENTS, TASKS, KEYS, ALL)


class World:
    """An environment of one's own and a foreign one, a key of each role for the first, and objects in both."""

    def __init__(self, service: Service, image: Path) -> None:
        self.service = service
        self.image = image
        self.areas = {"own": "own_area", "foreign": "foreign_area", "missing": "missing_area"}
        self.ids = {whose: service.new_environment(self.areas[whose]) for whose in ("own", "foreign")}
        self.ids["missing"] = str(uuid4())
        self.keys = {
            role: service.new_key(role, *([] if role == "administrator" else [self.ids["own"]])) for role in RIGHTS
        }
        self.isos = {whose: self.new_iso(whose) for whose in ("own", "foreign")}
        self.isos["public"] = self.new_iso("foreign", visibility="public")
        self.isos["shared"] = self.new_iso("foreign", visibility="shared", sharedWith=[self.areas["own"]])
        self.isos["missing"] = str(uuid4())
        self.instances = {whose: self.new_instance(whose) for whose in ("own", "foreign")} | {"missing": str(uuid4())}
        self.tasks = {whose: self.new_task(whose) for whose in ("own", "foreign")} | {"missing": str(uuid4())}

    def inside(self, whose: str) -> str:
        """The path of an environment."""
        return f"/v1/services/compute-on/{self.areas[whose]}"

    def new_iso(self, whose: str, **fields: object) -> str:
        """Put an ISO into an environment; its id."""
        iso = self.service.add(self.image, "subject", self.areas[whose])
        said = self.service.client().put(f"{self.inside(whose)}/isos/{iso['id']}", json={"extractable": True, **fields})
        assert said.status_code == 200, said.text
        return str(iso["id"])

    def new_instance(self, whose: str) -> str:
        """Make an instance in an environment; its id."""
        body = {"name": "subject", "isoId": self.new_iso(whose, bootable=True)}
        said = self.service.client().post(f"{self.inside(whose)}/instances", json=body)
        assert said.status_code == 200, said.text
        return str(said.json()["data"]["id"])

    def new_task(self, whose: str) -> str:
        """Make a task of an environment that has ended; its id."""
        path = f"{self.inside(whose)}/isos/{self.new_iso(whose)}"
        return str(self.service.client().delete(path).json()["taskId"])

    def new_upload(self, whose: str) -> str:
        """Begin an upload into an environment; its id."""
        said = self.service.client().post(f"{self.inside(whose)}/uploads", headers=TUS)
        assert said.status_code == 201, said.text
        return str(said.json()["data"]["id"])

    def new_key(self, whose: str) -> str:
        """Make a key of an environment; its id."""
        body = {"name": "subject", "role": "viewer", "environments": [self.ids[whose]]}
        return str(self.service.client().post("/v1/api_keys", json=body).json()["data"]["id"])

    def ask(self, role: str, row: Row, path: str) -> httpx.Response:
        """Do an operation with the key of a role."""
        url = f"{path}{row.tail}"
        return self.service.client(self.keys[role]).request(row.method, url, json=row.body, headers=TUS)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, small_image: Path) -> Iterator[World]:
    """Give the world, in which nobody works on tasks."""
    with hosted(tmp_path_factory.mktemp("data"), ISOBAY_TASKS_AT_ONCE="0") as running:
        yield World(running, small_image)


def _cells(table: dict[str, Row], *whose: str) -> pytest.MarkDecorator:
    cells = [(role, name, each) for name in table for each in whose for role in RIGHTS]
    return pytest.mark.parametrize(("role", "name", "whose"), cells)


def _same(answers: list[httpx.Response], names: list[str]) -> bool:
    """Whether answers are the same, bytes and headers, but for the name of what was asked for."""
    told = [
        (
            said.status_code,
            said.text.replace(name, "…"),
            {key: value for key, value in said.headers.items() if key not in ("date", "content-length")},
        )
        for said, name in zip(answers, names, strict=True)
    ]
    return all(each == told[0] for each in told)


def test_every_operation_has_a_row():
    """Whoever adds one says here who may."""
    rows = [name for table in TABLES for name in table]
    assert sorted([*rows, *ELSEWHERE]) == sorted(each.function.__name__ for each in ENDPOINTS)


@_cells(ISOS, "own", "shared", "public", "foreign", "missing")
def test_isos(world: World, role: str, name: str, whose: str):
    """Own by right, what is shared or public to read alone, and what is another's not at all, for any role."""
    row = ISOS[name]
    target = world.new_iso("own") if (name, whose) == ("delete_iso", "own") else world.isos[whose]
    said = world.ask(role, row, f"{world.inside('own')}/isos/{target}")
    if row.right not in RIGHTS[role]:
        expected = 403
    elif whose in ("foreign", "missing"):
        expected = 404
    else:
        expected = 403 if row.right == "write" and whose != "own" else row.status
    assert said.status_code == expected, said.text


@_cells(INSTANCES, "own", "foreign", "missing")
def test_instances(world: World, role: str, name: str, whose: str):
    """An instance is its environment's."""
    row = INSTANCES[name]
    said = world.ask(role, row, f"{world.inside('own')}/instances/{world.instances[whose]}")
    answer = row.status if whose == "own" else 404
    assert said.status_code == (answer if row.right in RIGHTS[role] else 403), said.text


@_cells(INSIDE, "own", "foreign", "missing")
def test_environments_from_inside(world: World, role: str, name: str, whose: str):
    """By right in one's own; another's is there for administrators alone."""
    row = INSIDE[name]
    said = world.ask(role, row, world.inside(whose))
    if whose == "missing" or (whose == "foreign" and role != "administrator"):
        expected = 404
    else:
        expected = row.status if row.right in RIGHTS[role] else 403
    assert said.status_code == expected, said.text


def _by_right_then_place(role: str, row: Row, whose: str) -> int:
    if row.right not in RIGHTS[role]:
        return 403
    return 404 if whose == "missing" or (whose == "foreign" and role != "administrator") else row.status


@_cells(ENVIRONMENTS, "own", "foreign", "missing")
def test_environments_from_outside(world: World, role: str, name: str, whose: str):
    """Who lacks the right learns nothing of the environment; who has it may in its own."""
    said = world.ask(role, ENVIRONMENTS[name], f"/v1/environments/{world.ids[whose]}")
    assert said.status_code == _by_right_then_place(role, ENVIRONMENTS[name], whose), said.text


@_cells(TASKS, "own", "foreign", "missing")
def test_tasks(world: World, role: str, name: str, whose: str):
    """A task is its environment's."""
    said = world.ask(role, TASKS[name], f"/v1/tasks/{world.tasks[whose]}")
    assert said.status_code == _by_right_then_place(role, TASKS[name], whose), said.text


@_cells(KEYS, "own", "foreign", "missing")
def test_keys(world: World, role: str, name: str, whose: str):
    """A key is of those who manage all its environments."""
    key = str(uuid4()) if whose == "missing" else world.new_key(whose)
    said = world.ask(role, KEYS[name], f"/v1/api_keys/{key}")
    assert said.status_code == _by_right_then_place(role, KEYS[name], whose), said.text


@_cells(UPLOADS, "own", "foreign", "missing")
def test_uploads(world: World, role: str, name: str, whose: str):
    """An upload is its environment's, for those who may write there."""
    upload = str(uuid4()) if whose == "missing" else world.new_upload(whose)
    said = world.ask(role, UPLOADS[name], f"{world.inside('own')}/uploads/{upload}")
    if UPLOADS[name].right in RIGHTS[role]:
        assert said.status_code == (UPLOADS[name].status if whose == "own" else 404), said.text
    else:
        assert said.status_code == 403, said.text


@_cells(ALL, "anybody's")
def test_what_is_nobodys(world: World, role: str, name: str, whose: str):
    """By right alone."""
    said = world.ask(role, ALL[name], "/v1")
    assert whose
    assert said.status_code == (ALL[name].status if ALL[name].right in RIGHTS[role] else 403), said.text


@pytest.mark.parametrize("role", RIGHTS)
def test_foreign_and_missing_answer_the_same_bytes(world: World, role: str):
    """For every operation that takes a name or an id: nobody can tell one from the other."""

    def pair(table: dict[str, Row], path: Callable[[str], str], names: dict[str, str]) -> None:
        for name, row in table.items():
            answers = [world.ask(role, row, path(names[whose])) for whose in ("foreign", "missing")]
            assert {said.status_code for said in answers} <= {403, 404}, (name, answers[0].text)
            assert _same(answers, [names["foreign"], names["missing"]]), (name, [said.text for said in answers])

    pair(ISOS, lambda each: f"{world.inside('own')}/isos/{each}", world.isos)
    pair(INSTANCES, lambda each: f"{world.inside('own')}/instances/{each}", world.instances)
    uploads = {"foreign": world.new_upload("foreign"), "missing": str(uuid4())}
    pair(UPLOADS, lambda each: f"{world.inside('own')}/uploads/{each}", uploads)
    if role != "administrator":
        pair(INSIDE, lambda each: f"/v1/services/compute-on/{each}", world.areas)
        pair(ENVIRONMENTS, lambda each: f"/v1/environments/{each}", world.ids)
        pair(TASKS, lambda each: f"/v1/tasks/{each}", world.tasks)
        keys = {"foreign": world.new_key("foreign"), "missing": str(uuid4())}
        pair(KEYS, lambda each: f"/v1/api_keys/{each}", keys)
