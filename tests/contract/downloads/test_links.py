"""Links: signed, for a while, for one ISO, until it is gone, and told to nobody but who asked."""

from __future__ import annotations

import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from shelved import Shelved, shelve

from isobay.transfer.links import Link, Links
from isobay.transfer.sealing import load_secret
from service import KEY, SEED, Service, serving


def _token(url: str) -> str:
    return url.split("/")[-2]


def _signed(shelved: Shelved, link: Link) -> str:
    """A link as the service itself would sign it."""
    settings = shelved.service.behind.settings
    token = Links(load_secret(settings.secret_key, settings.data_dir)).token(link)
    return f"{shelved.service.address}/v1/downloads/{token}/a.iso"


def _link(shelved: Shelved, **fields: object) -> Link:
    environment = shelved.service.behind.door.operate("test_area").place.environment_id
    whole = {"iso_id": shelved.iso["id"], "environment_id": environment, "expires": int(time.time()) + 60, **fields}
    return Link(**whole)


@pytest.fixture(scope="session")
def nowhere(service: Service) -> bytes:
    """Give the answer for a link that never was."""
    answer = httpx.get(f"{service.address}/v1/downloads/{'A' * 96}/a.iso")
    assert answer.status_code == 404
    return answer.content


def test_a_link_needs_no_key_and_does_what_a_key_does(shelved):
    """The same bytes, headers and ranges; the path ends in .iso, and the answer says until when."""
    asked = shelved.asked()
    assert asked["taskStatus"] == "SUCCESS"
    assert asked["result"] == asked["data"]["result"]
    url, expires = asked["result"]["url"], datetime.fromisoformat(asked["result"]["expires"])
    assert url.endswith("/medium.iso")
    assert url.startswith(shelved.service.address)
    assert timedelta(hours=23) < expires - datetime.now(UTC) <= timedelta(hours=24)
    with httpx.Client() as client:
        whole = client.get(url)
        assert (whole.status_code, whole.content) == (200, shelved.data)
        assert {**whole.headers, "date": ""} == {**shelved.get().headers, "date": ""}
        part = client.get(url, headers={"Range": "bytes=-9"})
        assert (part.status_code, part.content) == (206, shelved.data[-9:])
        assert client.head(url).headers["content-length"] == str(len(shelved.data))


def test_a_forged_token_leads_nowhere(shelved, nowhere):
    """Each of its bytes is held by the signature, and all that is no token is answered alike."""
    url = shelved.link()
    token = _token(url)
    raw = urlsafe_b64decode(token)
    changed = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    wrong = [urlsafe_b64encode(each).decode() for each in changed]
    wrong += [token[:-1], token + "A", token[:-4], token + "AAAA", token.swapcase(), "-", "%C3%A9" * 96, "*" * 96]
    with httpx.Client() as client:
        for each in wrong:
            answer = client.get(url.replace(token, each))
            assert (answer.status_code, answer.content) == (404, nowhere), each
        assert client.get(url).status_code == 200


def test_a_link_ends_in_time_and_holds_for_one_iso_in_one_environment(shelved, own, nowhere):
    """What is past, another ISO that may not be downloaded, another environment and another secret lead nowhere."""
    service = shelved.service
    other = service.new_environment(f"other-{own.iso['id'][:8]}")
    own.edit(extractable=False)
    another = Links("another secret").token(_link(shelved))
    gone = "00000000-0000-4000-8000-000000000000"
    wrong = [
        _signed(shelved, _link(shelved, expires=int(time.time()))),
        _signed(shelved, _link(own)),
        _signed(shelved, _link(shelved, environment_id=other)),
        _signed(shelved, _link(shelved, environment_id=gone)),
        _signed(shelved, _link(shelved, iso_id=gone)),
        f"{service.address}/v1/downloads/{another}/a.iso",
    ]
    assert httpx.get(_signed(shelved, _link(shelved))).content == shelved.data
    for url in wrong:
        answer = httpx.get(url)
        assert (answer.status_code, answer.content) == (404, nowhere)


def test_a_link_is_revoked_with_what_it_leads_to(own, nowhere):
    """No longer extractable: nowhere, until it is again. Deleted: nowhere for good."""
    url = own.link()
    for extractable, status in ((False, 404), (True, 200)):
        own.edit(extractable=extractable)
        answer = httpx.get(url)
        assert (answer.status_code, answer.content) == (status, own.data if status == 200 else nowhere)
    own.service.client().delete(own.path)
    assert httpx.get(url).content == nowhere


def test_a_link_of_anothers_public_iso_ends_when_it_is_private_again(own, nowhere):
    """The link is that of the environment that asked: what it sees no more, its links lead to no more."""
    service = own.service
    name = f"asking-{own.iso['id'][:8]}"
    service.new_environment(name)
    there = f"/v1/services/compute-on/{name}/isos/{own.iso['id']}"
    own.edit(availablePublicly=True)
    asked = service.client().post(there, params={"operation": "generateDownloadUrl"})
    url = asked.json()["result"]["url"]
    assert httpx.get(url).content == own.data
    own.edit(availablePublicly=False)
    assert httpx.get(url).content == nowhere


def test_only_what_is_ready_and_extractable_gets_a_link(own):
    """409 with the number that CloudMC has for it, and a sentence that says what to do."""
    own.edit(extractable=False)
    answer = own.service.client().post(own.path, params={"operation": "generateDownloadUrl"})
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"]) == (409, 2012)
    assert "not extractable" in error["message"]


def test_what_is_not_there_yet_can_not_be_had(service):
    """An ISO that is still arriving has no bytes and no link: 409 with its status."""
    body = {"name": "coming", "description": "", "url": "http://example.org/a.iso", "extractable": True}
    path = f"{SEED}/isos/{service.client().post(f'{SEED}/isos', json=body).json()['data']['id']}"
    try:
        for answer in (
            service.client().get(f"{path}/content"),
            service.client().get(f"{path}/files"),
            service.client().get(f"{path}/files/content?path=/a"),
            service.client().post(path, params={"operation": "generateDownloadUrl"}),
        ):
            assert (answer.status_code, answer.json()["errors"][0]["context"]["status"]) == (409, "importing")
    finally:
        service.client().delete(path)


def test_who_may_download_with_a_key(own):
    """One's own also where it is not extractable, another's public one only where it is; foreign ones are missing."""
    service = own.service
    name = f"beside-{own.iso['id'][:8]}"
    viewer = service.new_key("viewer", service.new_environment(name))
    there = f"/v1/services/compute-on/{name}/isos/{own.iso['id']}/content"
    assert service.client(viewer).get(there).status_code == 404
    assert service.client(viewer).get(own.content).status_code == 404
    assert service.client("").get(own.content).status_code == 401
    own.edit(availablePublicly=True)
    assert service.client(viewer).get(there).content == own.data
    own.edit(extractable=False)
    assert service.client(viewer).get(there).status_code == 403
    assert own.get().content == own.data


def test_only_the_key_that_asked_can_read_the_task(shelved):
    """Another key of the same environment, even an administrator's, is answered as for a task that is not there."""
    service = shelved.service
    environment = service.behind.door.operate("test_area").place.environment_id
    viewer, other = service.new_key("viewer", environment), service.new_key("editor", environment)
    asked = shelved.asked(viewer)
    task = f"/v1/tasks/{asked['taskId']}"
    again = service.client(viewer).get(task).json()
    assert again["result"] == asked["result"]
    assert httpx.get(again["result"]["url"]).content == shelved.data
    events = service.client(viewer).get(f"{task}/events").text
    assert asked["result"]["url"] in events
    missing = service.client(other).get("/v1/tasks/nothing")
    for key in (other, KEY):
        for path in (task, f"{task}/events"):
            answer = service.client(key).get(path)
            assert answer.status_code == 404
            assert answer.text == missing.text.replace("nothing", asked["taskId"])
        assert service.client(key).post(f"{task}?operation=cancel").status_code == 404


def test_the_token_is_nowhere_but_in_the_answer(tmp_path: Path, image_file: Path, capfd: pytest.CaptureFixture[str]):
    """Not in the log, which has every request, nor in the log of activity, the metrics or any file of the data."""
    with serving(tmp_path / "data", ISOBAY_LOG_LEVEL="debug") as service:
        shelved = shelve(service, image_file, "logged")
        url = shelved.link()
        token = _token(url)
        path = urlsplit(url).path
        with httpx.Client(base_url=service.address) as client:
            for each in (path, path.replace("/v1/", "/api/v2/"), path.replace("/downloads/", "/DownLoads/")):
                assert client.get(each).status_code == 200
            for each in (
                f"/v1/downloads/{token}",
                f"/v1/downloads/{token}/a/b",
                f"/v1//downloads//{token}/",
                f"/downloads/{token}/a",
            ):
                assert client.get(each).status_code == 404
            assert client.post(path).status_code == 405
            assert token not in client.get("/metrics").text
        activity = service.client().get("/v1/activity_log").text
        assert "iso.link" in activity
        assert token not in activity
        with service.behind.catalog.reading() as tx:
            kept = service.behind.catalog.tasks.newest(tx, 10)
        assert all(token not in repr(task) for task in kept)
    written = capfd.readouterr()
    lines = [line for line in written.err.splitlines() if re.search("downloads", line, re.IGNORECASE)]
    assert len(lines) == 8
    assert token not in written.err + written.out
    assert all(token[10:40] not in path.read_bytes().decode("latin-1") for path in _files(tmp_path))


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_links_begin_as_the_settings_say(tmp_path: Path, image_file: Path):
    """With ISOBAY_PUBLIC_URL whatever host was asked, and with ISOBAY_DOWNLOAD_HOURS as long as that says."""
    options = {"ISOBAY_PUBLIC_URL": "https://isos.example.org/shelf/", "ISOBAY_DOWNLOAD_HOURS": "2"}
    with serving(tmp_path / "data", ISOBAY_TASKS_AT_ONCE="0", **options) as service:
        result = shelve(service, image_file, "public").asked()["result"]
        assert result["url"].startswith("https://isos.example.org/shelf/v1/downloads/")
        assert datetime.fromisoformat(result["expires"]) - datetime.now(UTC) <= timedelta(hours=2)


@pytest.mark.parametrize(
    ("name", "plain", "whole"),
    [
        ("../../etc/passwd", "_.._etc_passwd.iso", "_.._etc_passwd.iso"),
        ('a"; filename="b.exe', "a_; filename=_b.exe.iso", "a_; filename=_b.exe.iso"),
        ("\\\\server\\share", "__server_share.iso", "__server_share.iso"),
        ("Ünïcode — ディスク 💿", "_n_code _ ____ _.iso", "Ünïcode — ディスク 💿.iso"),
        ("gpj\u202eosi.exe", "gpj_osi.exe.iso", "gpj_osi.exe.iso"),
        ("...", "iso", "iso"),
        ("a%41b", "a_41b.iso", "a%41b.iso"),
        ("done.ISO", "done.ISO", "done.ISO"),
        ("x" * 255, "x" * 255 + ".iso", "x" * 255 + ".iso"),
    ],
)
def test_names_of_any_kind_are_saved_safely(own, name, plain, whole):
    """The plain name is ASCII without what a header or a path is made of, the other one is the name; no more."""
    own.edit(name=name)
    for said in (own.get("HEAD"), httpx.head(own.link())):
        match = re.fullmatch(
            r"""attachment; filename="([^"\\%/]*)"; filename\*=UTF-8''([A-Za-z0-9%._~-]+)""",
            said.headers["content-disposition"],
        )
        assert match, said.headers["content-disposition"]
        assert (match[1], unquote(match[2])) == (plain, whole)
    assert re.fullmatch(r"/v1/downloads/[\w-]{96}/[A-Za-z0-9._-]{1,100}\.iso", urlsplit(own.link()).path)
