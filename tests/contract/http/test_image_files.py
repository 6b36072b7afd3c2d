"""What is inside an image, over HTTP."""

from __future__ import annotations

import pytest

from service import SEED, Service


@pytest.fixture(scope="module")
def files(service: Service, small_image) -> str:
    """The path of an ISO's files."""
    return f"{SEED}/isos/{service.add(small_image)['id']}/files"


def test_directories_are_listed_without_mounting(service, files):
    """Names, kinds and sizes as they were put in."""
    assert [(each["path"], each["type"], each["size"]) for each in service.get(files) if each["type"] == "file"] == [
        ("/readme.txt", "file", 6)
    ]
    assert {each["name"] for each in service.get(files, path="/docs")} == {"a b&c.html", "deep"}


def test_a_files_bytes_come_as_they_are_and_never_as_a_page_of_ours(service, files):
    """An attachment of unknown type, whatever it is called."""
    said = service.client().get(f"{files}/content", params={"path": "/docs/deep/er.bin"})
    assert said.content == bytes(range(256)) * 5000
    assert said.headers["content-length"] == str(256 * 5000)
    page = service.client().get(f"{files}/content", params={"path": "/docs/a b&c.html"})
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["content-disposition"] == "attachment; filename=\"a b&c.html\"; filename*=UTF-8''a%20b%26c.html"


@pytest.mark.parametrize(
    ("tail", "status"),
    [
        ("?path=/nothing", 404),
        ("?path=/readme.txt", 400),
        ("/content?path=/docs", 400),
        ("/content?path=/../../etc/passwd", 404),
        ("/content?path=/nothing", 404),
        ("/content?path=a%00b", 400),
        ("?nonsense=1", 400),
    ],
)
def test_paths_that_lead_nowhere_are_refused(service, files, tail, status):
    """Missing is 404, the wrong kind is 400, and nothing leads out of the image."""
    assert service.client().get(files + tail).status_code == status
