"""The service as a process: its start, its options, its health, and what it counts."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import time

import httpx
import pytest

from service import KEY, SEED, Service, environment, serving


def test_the_first_start_prints_a_key_and_a_line_that_works(tmp_path):
    """The printed curl line, pasted into a shell, gives the seed's empty list; a second start prints no key."""
    with serving(tmp_path / "data", ISOBAY_ADMIN_KEY="") as service:
        assert service.process.stdout
        printed = ""
        while not (line := re.search(r"^curl .*$", printed, re.MULTILINE)):
            printed += service.process.stdout.readline()
        said = subprocess.run(["bash", "-c", line[0].replace("curl ", "curl -s ")], capture_output=True, check=True)
        assert json.loads(said.stdout) == {"data": [], "metadata": {"recordCount": 0}}
        secret = re.search(r"isobay_\S{40,}", printed)[0]
        assert secret.encode() not in (tmp_path / "data" / "isobay.db").read_bytes()
    with serving(tmp_path / "data", ISOBAY_ADMIN_KEY="") as service:
        assert service.client(secret).get(f"{SEED}/isos").status_code == 200
        service.process.terminate()
        rest, _ = service.process.communicate(timeout=20)
        assert "key" not in rest


def test_a_key_that_was_given_is_not_printed(tmp_path):
    """Who set ISOBAY_ADMIN_KEY knows it, and what is printed is kept in logs."""
    with serving(tmp_path / "data") as service:
        assert service.get(f"{SEED}/isos") == []
        service.process.terminate()
        rest, _ = service.process.communicate(timeout=20)
        assert KEY not in service.greeting + rest


def test_several_processes_serve_one_shelf_and_count_together(tmp_path, small_image):
    """What one process is told every other knows; the metrics are of all."""
    with serving(tmp_path, "--workers", "2") as service:
        iso = service.add(small_image, "shared")
        for number in range(20):
            # A new connection each time, so that either process may answer.
            service.clients.pop(KEY).close()
            path = f"{SEED}/isos/{iso['id']}"
            assert service.client().put(path, json={"name": f"name {number}"}).status_code == 200
            service.clients.pop(KEY).close()
            assert service.get(path)["name"] == f"name {number}"
        counted = service.client("").get("/metrics").text
        edits = re.findall(r'isobay_http_requests_total\{method="PUT",route="PUT [^"]*",status="200"\} (\d+)', counted)
        assert edits == ["20"]


def test_health_readiness_and_metrics_need_no_key(service: Service):
    """What machines ask; the metrics hold routes, never paths."""
    client = service.client("")
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    client.get("/v1/a-path-nobody-has/secret-looking")
    counted = client.get("/metrics").text
    assert 'route="isobay.http.health.healthz"' in counted
    assert "secret-looking" not in counted


def test_head_is_get_without_a_body(service: Service):
    """The same status and headers."""
    for path in (f"{SEED}/isos?page_size=1", "/healthz", f"{SEED}/isos/none"):
        head, get = service.client().head(path), service.client().get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize("root", ["/v1", "/api/v1", "/api/v2"])
@pytest.mark.parametrize("tail", ["services/compute-on/test_area/ISOs", "Services/compute-on/test_area/Isos"])
def test_every_root_and_spelling_of_a_collection_is_the_same(service: Service, root, tail):
    """Collections without regard to case; names with it."""
    assert service.client().get(f"{root}/{tail}").status_code == 200
    assert service.client().get(f"{root}/{tail.replace('test_area', 'TEST_AREA')}").status_code == 404


def test_what_is_not_there_says_so(service: Service):
    """404 for no endpoint, 405 with Allow for no verb, both in the envelope of errors."""
    client = service.client()
    for path in (
        "/nothing",
        "/v1/nothing",
        f"{SEED}/isos/",
        "/v1/environments/",
        "/v1//environments",
        "/v3/environments",
    ):
        said = client.get(path)
        assert (said.status_code, said.json()["errors"][0]["code"]) == (404, 4001)
    said = client.post(f"{SEED}/zones", json={})
    assert (said.status_code, said.json()["errors"][0]["code"]) == (405, 4002)
    assert set(said.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert set(client.options(f"{SEED}/isos/x").headers["allow"].split(", ")) == {
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "OPTIONS",
    }


def test_a_busy_port_is_said_and_nothing_is_made(tmp_path):
    """A first start that cannot listen makes no key that nobody is shown."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        options = {"ISOBAY_DATA_DIR": str(tmp_path / "data"), "ISOBAY_PORT": str(busy.getsockname()[1])}
        command = [sys.executable, "-m", "isobay", "serve"]
        said = subprocess.run(
            command, env=environment(**options), capture_output=True, text=True, timeout=60, check=False
        )
    assert said.returncode == 1
    assert options["ISOBAY_PORT"] in said.stderr
    assert "ISOBAY_PORT" in said.stderr
    assert not (tmp_path / "data" / "isobay.db").exists()


def test_processes_end_with_the_one_that_started_them(tmp_path):
    """However it ends: nobody goes on serving, and the port is free."""
    with serving(tmp_path, "--workers", "2") as service:
        assert service.client().get("/readyz").status_code == 200
        service.process.kill()
        service.process.wait()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{service.address}/healthz", timeout=5)
            except httpx.TransportError:
                break
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{service.address}/healthz", timeout=5)


def test_ids_in_capitals_and_blanks_around_a_key_are_understood(service: Service, small_image):
    """A UUID has no case, and blanks are no part of a header's value."""
    iso = service.add(small_image, "for any case")
    connection = http.client.HTTPConnection(service.address.removeprefix("http://"), timeout=10)
    connection.request("GET", f"{SEED}/isos/{iso['id'].upper()}", headers={"MC-Api-Key": f"  {KEY} "})
    assert json.loads(connection.getresponse().read()) == {"data": iso}
    connection.close()


def test_a_body_over_the_limit_is_refused(tmp_path):
    """413 says which setting holds the limit, with and without a declared length."""
    with serving(tmp_path, ISOBAY_MAX_BODY_BYTES="2048") as service:
        for body in (b"x" * 5000, iter([b"x" * 5000])):
            said = service.client().put(f"{SEED}/isos/x", content=body)
            assert (said.status_code, "ISOBAY_MAX_BODY_BYTES" in said.text) == (413, True)


def test_hostile_requests_get_an_answer(service: Service):
    """Bytes that are no text, in the path, the query and the key, are refused and not fatal."""
    host, port = service.address.removeprefix("http://").split(":")
    for target in (
        "/v1/services/%ff%fe/x/isos",
        f"{SEED}/isos?name=%ff%00",
        f"{SEED}/isos/%00",
        f"{SEED}/isos?" + "a=1&" * 9000,
    ):
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", target, headers={"MC-Api-Key": KEY})
        assert connection.getresponse().status in (400, 404, 414, 431)
        connection.close()
    assert service.client().get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ISOBAY_PORT", "many"),
        ("ISOBAY_WORKERS", "0"),
        ("ISOBAY_DATABASE_URL", "mysql://host/x"),
        ("ISOBAY_DATABASE_URL", "nonsense"),
        ("ISOBAY_DATABASE_URL", "postgresql://127.0.0.1:1/none"),
        ("ISOBAY_DATA_DIR", "/dev/null/below"),
        ("ISOBAY_ADMIN_KEY", "two words are no key"),
        ("ISOBAY_ADMIN_KEY", "fifteen-letters"),
    ],
)
def test_an_option_that_cannot_be_used_is_said_in_a_sentence(tmp_path, variable, value):
    """Exit code 1 and one sentence that names the variable; no traceback."""
    options = {"ISOBAY_DATA_DIR": str(tmp_path / "data"), "ISOBAY_PORT": "0", variable: value}
    command = [sys.executable, "-m", "isobay", "serve"]
    said = subprocess.run(command, env=environment(**options), capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 1
    assert variable in said.stderr
    assert "Traceback" not in said.stderr


def test_the_service_runs_on_postgresql_too(tmp_path, postgresql_server, small_image):
    """The seed's calls, a change and a delete, with the catalogue in PostgreSQL."""
    with postgresql_server.database() as url, serving(tmp_path, ISOBAY_DATABASE_URL=url) as service:
        iso = service.add(small_image, "in PostgreSQL")
        assert service.get(f"{SEED}/isos") == [iso]
        assert service.client().put(f"{SEED}/isos/{iso['id']}", json={"name": "changed"}).status_code == 200
        assert service.get(f"{SEED}/isos/{iso['id']}")["name"] == "changed"
        assert service.get(f"{SEED}/isos", page_size=5, sort_by="name", name="changed")[0]["id"] == iso["id"]
        assert service.client().delete(f"{SEED}/isos/{iso['id']}").json()["taskStatus"] == "SUCCESS"
        assert service.get(f"{SEED}/isos") == []
