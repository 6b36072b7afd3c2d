"""``isobay store check`` beside a service, and what the service tells of images that were damaged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from stocked import Stock, flip

from hostile_source import Page, hostile
from service import SEED, Service, environment, serving

SECONDS = 60


def _check(service: Service, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "isobay", "store", "check", *options]
    data_dir = str(service.behind.settings.data_dir)
    return subprocess.run(
        command, env=environment(ISOBAY_DATA_DIR=data_dir), capture_output=True, text=True, timeout=SECONDS, check=False
    )


def _until(look: Callable[[], Any], what: str) -> Any:
    ends = monotonic() + SECONDS
    while not (found := look()):
        assert monotonic() < ends, f"waited in vain for {what}"
    return found


def _damaged(service: Service) -> float:
    return float(re.findall(r"^isobay_damaged_isos (\S+)$", service.client("").get("/metrics").text, re.MULTILINE)[0])


@pytest.fixture
def idle(tmp_path: Path):
    """Run a service without a worker."""
    with serving(tmp_path / "data", ISOBAY_TASKS_AT_ONCE="0") as service:
        yield service


def test_a_check_tells_by_its_exit_code_whether_something_is_wrong(idle, image_file):
    """0 and a sentence where nothing is, else 1 and a line for each finding, with what was done."""
    iso = idle.add(image_file)
    stock = Stock(idle.behind, image_file)
    sound = _check(idle, "--hash")
    assert (sound.returncode, sound.stdout, sound.stderr) == (0, "", "Nothing is wrong.\n")
    assert json.loads(_check(idle, "--json").stdout) == []
    flip(stock.path(iso["id"]))
    assert _check(idle).returncode == 0
    found = _check(idle, "--hash")
    object_id = stock.kept(iso["id"]).object_id
    [columns] = [line.split("\t") for line in found.stdout.splitlines()]
    assert found.returncode == 1
    assert (columns[:3], columns[4:]) == (["sha256", object_id, str(iso["size"])], [iso["id"], ""])
    [told] = json.loads(_check(idle, "--hash", "--repair", "--json").stdout)
    assert (told["kind"], told["objectId"], told["isos"][0]["name"]) == ("sha256", object_id, iso["name"])
    assert told["repaired"] == "The ISOs are failed now."
    assert _check(idle, "--hash", "--repair").returncode == 0


def test_a_repaired_iso_is_told_as_failed(idle, image_file):
    """Its status, its message, a refused download, the metric, and an entry in the log of activity."""
    iso = idle.add(image_file)
    flip(Stock(idle.behind, image_file).path(iso["id"]))
    assert _damaged(idle) == 0
    assert _check(idle, "--hash", "--repair").returncode == 1
    path = f"{SEED}/isos/{iso['id']}"
    told = idle.get(path)
    assert (told["status"], told["ready"]) == ("failed", False)
    assert "sha256" in told["statusMessage"]
    refused = idle.client().get(f"{path}/content")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, 2012)
    assert _damaged(idle) == 1
    [entry] = idle.get("/v1/activity_log", operation="iso.repair")
    assert (entry["objectId"], entry["keyName"]) == (iso["id"], "operator")
    assert entry["details"]["done"] == "The ISOs are failed now."


def test_an_import_that_was_damaged_is_fetched_anew(tmp_path, image_file):
    """Try again: it comes from its first byte, under the same id, and the damaged bytes go."""
    data = image_file.read_bytes()
    with hostile() as source, serving(tmp_path / "data", ISOBAY_ALLOWED_NETWORKS="127.0.0.0/8") as service:
        source.pages["/a.iso"] = Page(data)
        body = {"name": "a", "description": "a", "url": source.url("/a.iso")}
        begun = service.client().post(f"{SEED}/isos", json=body).json()
        path = f"{SEED}/isos/{begun['data']['id']}"
        _until(lambda: service.get(path)["ready"], "the import")
        stock = Stock(service.behind, image_file)
        damaged = stock.path(begun["data"]["id"])
        flip(damaged)
        assert _check(service, "--hash", "--repair").returncode == 1
        assert "operation=retry" in service.get(path)["statusMessage"]
        again = service.client().post(path, params={"operation": "retry"})
        assert again.status_code == 200, again.text
        assert again.json()["data"]["checksums"] == {}
        _until(lambda: service.get(path)["ready"], "the second import")
        assert stock.content(begun["data"]["id"]) == data
        assert list(stock.files()) == [stock.path(begun["data"]["id"])] != [damaged]
        assert [(request.status, request.sent) for request in source.requests if request.method == "GET"] == [
            (200, len(data)),
            (200, len(data)),
        ]
        assert _check(service, "--hash").returncode == 0


def test_equal_imports_that_were_damaged_are_tried_again_one_by_one(tmp_path, image_file):
    """Each has an object of its own then: what one fetches is not what another one has, until both are ready."""
    data = image_file.read_bytes()
    with hostile() as source, serving(tmp_path / "data", ISOBAY_ALLOWED_NETWORKS="127.0.0.0/8") as service:
        source.pages["/a.iso"] = Page(data)
        paths = []
        for name in ("one", "two"):
            body = {"name": name, "description": name, "url": source.url("/a.iso")}
            begun = service.client().post(f"{SEED}/isos", json=body).json()
            paths.append(f"{SEED}/isos/{begun['data']['id']}")
            _until(lambda: service.get(paths[-1])["ready"], "the import")
        stock = Stock(service.behind, image_file)
        one, two = (path.rpartition("/")[2] for path in paths)
        damaged = _until(lambda: stock.path(one) == stock.path(two) and stock.path(one), "the sharing")
        flip(damaged)
        assert _check(service, "--hash", "--repair").returncode == 1
        assert service.client().post(paths[0], params={"operation": "retry"}).status_code == 200
        _until(lambda: service.get(paths[0])["ready"], "the second import")
        assert service.get(paths[1])["status"] == "failed"
        assert set(stock.files()) == {damaged, stock.path(one)}
        [told] = json.loads(_check(service, "--repair", "--json").stdout)
        assert (told["kind"], told["isos"][0]["id"]) == ("returned", two)
        assert stock.content(one) == stock.content(two) == data
        assert list(stock.files()) == [stock.path(two)]


def test_a_running_worker_finds_what_is_damaged(tmp_path, image_file, other_image):
    """By itself, and the service tells it; the sound image goes on being given."""
    with serving(tmp_path / "data", ISOBAY_TASKS_AT_ONCE="0") as service:
        damaged, sound = service.add(image_file), service.add(other_image)
        stock = Stock(service.behind, image_file)
        for iso in (damaged, sound):
            stock.age(iso["id"])
        flip(stock.path(damaged["id"]))
        command = [sys.executable, "-m", "isobay", "worker", "--with-parent"]
        data_dir = str(service.behind.settings.data_dir)
        with subprocess.Popen(
            command, env=environment(ISOBAY_DATA_DIR=data_dir), stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as worker:
            told = _until(lambda: _failed(service, damaged["id"]), "the worker's finding")
            assert worker.stderr
            assert any("image damaged" in line for line in worker.stderr)
            worker.terminate()
            worker.wait(SECONDS)
        assert "sha256" in told["statusMessage"]
        assert _damaged(service) == 1
        assert stock.content(sound["id"]) == other_image.read_bytes()


def _failed(service: Service, iso_id: str) -> dict[str, Any] | None:
    told: dict[str, Any] = service.get(f"{SEED}/isos/{iso_id}")
    return told if told["status"] == "failed" else None
