"""The OpenAPI document, and that the service keeps it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from isobay.http.application import ENDPOINTS
from service import KEY, Service


def test_the_document_names_every_endpoint(service: Service):
    """OpenAPI 3.1, with each path and method, and the key it wants."""
    document = service.client("").get("/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    named = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert named == {(each.method, "/v1" + each.path.replace(":str}", "}")) for each in ENDPOINTS}
    assert document["components"]["securitySchemes"]["key"]["name"] == "MC-Api-Key"


def test_the_page_shows_every_operation_and_fetches_nothing(service: Service):
    """A person can read the document; the page refers to no other host."""
    page = service.client("").get("/docs").text
    for each in ENDPOINTS:
        assert f'id="{each.described.operation_id}"' in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


def test_schemathesis_finds_no_failure(service: Service, small_image: Path, tmp_path: Path):
    """Thousands of right and wrong requests made from the document are answered as it says."""
    service.add(small_image)
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{service.address}/openapi.json"]
    options = ["-H", f"MC-Api-Key: {KEY}", "--max-examples", "20", "--seed", "20261123"]
    said = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert said.returncode == 0, said.stdout[-8000:]
