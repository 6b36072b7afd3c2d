"""The OpenAPI document, and that the service keeps it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from hosted import hosted
from isobay.http.application import ENDPOINTS
from service import KEY, SEED, Service

# What no OpenAPI document can say.
_EXCEPTIONS = """
[[operations]]  # a key that expires does so in the future
include-operation-id = "create_key"
checks = { positive_data_acceptance.enabled = false }
[[operations]]  # page_number and cursor exclude each other
include-operation-id = "list_isos"
checks = { positive_data_acceptance.enabled = false }
[[operations]]  # a WebSocket is nothing that schemathesis speaks
include-operation-id = "get_console"
enabled = false
[[operations]]  # of its fields one must name an ISO, and others what the host has
include-operation-id = "create_instance"
checks = { positive_data_acceptance.enabled = false }
[[operations]]  # each operation has another body, and most have none
include-operation-id = ["start_instance", "retry_iso"]
checks = { negative_data_rejection.enabled = false, positive_data_acceptance.enabled = false }
[[operations]]  # a directory is no file
include-operation-id = ["get_iso_file", "list_iso_files"]
checks = { positive_data_acceptance.enabled = false }
[[operations]]  # a body of tus has a type that schemathesis cannot make
include-operation-id = ["start_upload", "continue_upload", "override_upload"]
enabled = false
[[operations]]  # tus wants 412 where others answer 400; and what is made by chance is no image
include-operation-id = ["get_upload", "delete_upload", "put_upload"]
checks.negative_data_rejection.enabled = false
checks.missing_required_header.enabled = false
checks.positive_data_acceptance.enabled = false
[[operations]]  # with operation=inspectUrl less of the body is required
include-operation-id = "import_iso"
checks = { negative_data_rejection.enabled = false }
"""
DISCARD = "http://127.0.0.1:9"  # a proxy that is not there: what would go out is refused at once


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that fetches nothing, whatever it is told to."""
    closed = {
        "ISOBAY_TASKS_AT_ONCE": "0",
        "ISOBAY_PROXY": DISCARD,
        "ISOBAY_FETCH_RETRIES": "0",
        "ISOBAY_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    with hosted(tmp_path_factory.mktemp("data"), **closed) as running:
        yield running


def test_the_document_names_every_endpoint(service: Service):
    """OpenAPI 3.1, with each path and method, and the key it wants."""
    document = service.client("").get("/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    named = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert named == {(each.method, "/v1" + each.path.replace(":str}", "}")) for each in ENDPOINTS}
    for each in ENDPOINTS:
        item = document["paths"]["/v1" + each.path.replace(":str}", "}")][each.method.lower()]
        operations = [
            name
            for part in item["parameters"]
            if part["name"] == "operation"
            for name in part["schema"].get("enum", ())
        ]
        assert each.operation in operations or not each.operation
    assert document["components"]["securitySchemes"]["key"]["name"] == "MC-Api-Key"


def test_the_page_shows_every_operation_and_fetches_nothing(service: Service):
    """A person can read the document; the page refers to no other host."""
    page = service.client("").get("/docs").text
    for path in service.client("").get("/openapi.json").json()["paths"].values():
        for operation in path.values():
            assert f'id="{operation["operationId"]}"' in page
    for each in ENDPOINTS:
        assert each.described.summary in unescape(page)
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


def test_schemathesis_finds_no_failure(service: Service, small_image: Path, tmp_path: Path):
    """Thousands of right and wrong requests made from the document are answered as it says.

    The tasks that they begin are worked on by nobody, and nothing that they have fetched leaves the machine.
    """
    (tmp_path / "schemathesis.toml").write_text(_hints(service, small_image))
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{service.address}/openapi.json"]
    options = ["-H", f"MC-Api-Key: {KEY}", "--max-examples", "20", "--seed", "20261123"]
    said = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert said.returncode == 0, said.stdout[-8000:]
    done = {entry["operation"] for entry in service.get("/v1/activity_log", page_size=1000)}
    assert {"iso.import", "iso.edit", "iso.delete", "instance.edit", "task.cancel", "api_key.delete"} <= done


def _hints(service: Service, small_image: Path) -> str:
    """What there is, for schemathesis, whose own ids lead nowhere; and the exceptions."""
    isos = [service.add(small_image, f"number {number}")["id"] for number in range(50)]
    used = service.add(small_image, "used")["id"]  # none of those: what is used cannot be deleted
    service.client().put(f"{SEED}/isos/{used}", json={"bootable": True})
    boots = {"name": "asked for", "isoId": used}
    instances = [service.client().post(f"{SEED}/instances", json=boots).json()["data"]["id"] for _ in range(20)]
    new = {"name": "asked for", "description": "", "url": "http://127.0.0.1/a.iso"}
    tasks = [service.client().post(f"{SEED}/isos", json=new).json()["taskId"] for _ in range(50)]
    service.new_key("administrator")
    key = service.get("/v1/api_keys")[-1]["id"]
    return f"""
        request-timeout = 10
        max-stream-events = 1
        [dictionaries]
        isos.values = {isos}
        tasks.values = {tasks}
        instances.values = {instances}
        [parameters]
        "path.service_code" = "compute-on"
        "path.environment_name" = "test_area"
        "path.iso_id" = {{ dictionary = "isos", probability = 0.9 }}
        "path.instance_id" = {{ dictionary = "instances", probability = 0.9 }}
        "path.task_id" = {{ dictionary = "tasks", probability = 0.9 }}
        [[operations]]  # not the key that it uses
        include-operation-id = "delete_key"
        parameters = {{ "path.key_id" = "{key}" }}
        checks = {{ ensure_resource_availability.enabled = false }}
        {_EXCEPTIONS}
    """
