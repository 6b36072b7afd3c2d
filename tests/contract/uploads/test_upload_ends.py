"""How uploads end: refused by a limit, expired, or finished by a worker when their process is gone."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sender import BYTES, LEAST, UPLOADS, VERSION, Sender, proof

from isobay.app import Isobay
from isobay.clock import utc_now
from processes import until
from service import Service, environment, serving

DIE = """
import os, sys
from isobay.app import build
from isobay.objects.disk_part import DiskPart
from isobay.settings import Settings
from isobay.transfer.checksums import parse_checksum

when, data, upload_id, offset, proof = sys.argv[1:]
visit = build(Settings.load(data_dir=data)).door.operate("test_area")
receiving = visit.engine.receive_upload(visit.place, upload_id, int(offset), parse_checksum(proof) if proof else None)
if when == "before":
    DiskPart.append = lambda *_: os._exit(9)
receiving.take(sys.stdin.buffer.read())
os._exit(9)
"""
ISOS = UPLOADS.replace("uploads", "isos")
MIB = 1 << 20


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Service]:
    """Run a service without a worker."""
    with serving(tmp_path / "data", ISOBAY_TASKS_AT_ONCE="0") as running:
        yield running


def test_the_quota_is_taken_from_the_beginning_on(tmp_path: Path, small: bytes):
    """What is still to come counts; an upload that would be too much is refused, and one that goes gives it back."""
    limit = str(len(small) + LEAST)
    with serving(tmp_path / "data", ISOBAY_ENVIRONMENT_BYTES=limit, ISOBAY_ENVIRONMENT_ISOS="2") as service:
        sender = Sender(service)
        upload = sender.begun(len(small))
        answer = sender.begin(len(small))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, 2016)
        second = sender.begun(LEAST)
        assert sender.begin(LEAST).status_code == 409
        assert sender.ask("DELETE", second, **VERSION).status_code == 204
        assert sender.send(upload, 0, small).status_code == 204
        piped = sender.ask("PUT", f"{UPLOADS}/x.iso", content=iter([small]))
        assert (piped.status_code, piped.json()["errors"][0]["code"]) == (409, 2016)
        assert [iso["id"] for iso in service.get(ISOS)] == [upload.rpartition("/")[2]]
        assert sender.stored(upload) == small


def test_an_image_that_does_not_fit_the_disk_is_refused_at_once(tmp_path: Path):
    """507, and neither what is free nor where is told; an environment that has no such quota hears of that instead."""
    with serving(tmp_path / "data", ISOBAY_MAX_ISO_BYTES=str(1 << 60)) as service:
        answer = Sender(service).begin(1 << 59)
        error = answer.json()["errors"][0]
        assert (answer.status_code, error["code"], error["context"]) == (507, 5001, {"needed": 1 << 59})
        assert not re.search(r"/|\d{5,}", error["message"].replace(str(1 << 59), ""))
        assert service.get(ISOS) == []
        own = service.get("/v1/environments")[0]["id"]
        changed = service.client().put(f"/v1/environments/{own}", json={"maxBytes": 1 << 30})
        assert changed.status_code == 200, changed.text
        answer = Sender(service).begin(1 << 59)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, 2016)


def test_what_is_no_iso_is_gone_after_its_first_bytes(sender: Sender):
    """400 as soon as it is seen, with the ISO, the upload and the bytes gone."""
    upload = sender.begun(40 * MIB)
    answer = sender.send(upload, 0, b"<html>" + bytes(20 * MIB))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 2101)
    assert sender.ask("HEAD", upload, **VERSION).status_code == 404
    assert sender.service.get(ISOS) == []


def test_a_short_thing_that_is_no_iso_is_gone_at_its_end(sender: Sender):
    """One that is too small for an early look."""
    upload = sender.begun(LEAST)
    assert sender.send(upload, 0, bytes(500)).status_code == 204
    assert sender.send(upload, 500, bytes(LEAST - 500)).json()["errors"][0]["code"] == 2101
    assert sender.service.get(ISOS) == []


def test_an_image_with_another_checksum_never_is_ready(sender: Sender, small: bytes):
    """400 at its last byte, and it is gone; with the right one, in any spelling, it is ready."""
    right = hashlib.sha512(small).hexdigest()
    upload = sender.begun(len(small), "wrong", checksum=f"sha512:{'0' * 128}")
    assert sender.send(upload, 0, small[:-1]).status_code == 204
    answer = sender.send(upload, len(small) - 1, small[-1:])
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 2106)
    assert sender.service.get(ISOS) == []
    upload = sender.begun(len(small), "right", checksum="{SHA-512}" + right.upper())
    assert sender.send(upload, 0, small).status_code == 204
    assert sender.iso(upload)["checksums"] == {"sha256": hashlib.sha256(small).hexdigest(), "sha512": right}


def test_an_upload_expires_when_nobody_goes_on_with_it(alone: Service, small: bytes):
    """Its ISO, its bytes and its quota are free again; one that is whole, and one that somebody sends to, stay."""
    sender = Sender(alone)
    whole = sender.begin(len(small), content=small).headers["location"]
    held, abandoned, lively = (sender.begun(len(small)) for _ in range(3))
    for upload in (abandoned, lively):
        sender.send(upload, 0, small[: 2 * MIB])
    with sender.sending(held, 0, len(small)) as connection:
        connection.sendall(small[: 2 * MIB])
        assert until(lambda: sender.offset(held) > 0)
        for upload in (whole, held, abandoned):
            _expire(alone.behind, upload)
        alone.behind.tending.tend()
        connection.sendall(small[2 * MIB :])
        assert connection.recv(12) == b"HTTP/1.1 204"
    assert {iso["id"]: iso["status"] for iso in alone.get(ISOS)} == {
        whole.rpartition("/")[2]: "ready",
        held.rpartition("/")[2]: "ready",
        lively.rpartition("/")[2]: "uploading",
    }
    assert sender.ask("HEAD", abandoned, **VERSION).status_code == 404
    assert sender.ask("HEAD", whole, **VERSION).status_code == 404
    assert sender.stored(whole) == sender.stored(held) == small
    assert len(list((alone.behind.settings.objects_dir / "incoming").glob("*.part"))) == 1


def test_every_byte_puts_the_expiry_off(alone: Service, small: bytes):
    """Upload-Expires moves with each request that brings some."""
    sender = Sender(alone)
    upload = sender.begun(len(small))
    _expire(alone.behind, upload)
    sender.send(upload, 0, small[:5])
    alone.behind.tending.tend()
    assert sender.offset(upload) == 5


@pytest.mark.parametrize("checksum", ["", "sha1:" + "0" * 40])
def test_a_worker_ends_what_a_dead_service_left_whole(tmp_path: Path, small: bytes, checksum: str):
    """The last byte was there and the row was not: the ISO is ready then, or says why it failed."""
    data_dir = tmp_path / "data"
    with serving(data_dir, ISOBAY_TASKS_AT_ONCE="0") as service:
        upload = Sender(service).begun(len(small), "image", checksum=checksum)
        Sender(service).send(upload, 0, small[:-1])
        _die("after", data_dir, upload, len(small) - 1, small[-1:])
        with service.behind.catalog.reading() as tx:
            kept = service.behind.catalog.isos.by_id(tx, upload.rpartition("/")[2])
        with service.behind.objects.resume(kept.object_id):
            service.behind.tending.tend()  # somebody has it in hand, so nothing is done
        assert Sender(service).iso(upload)["status"] == "uploading"
        assert Sender(service).offset(upload) == len(small)
    with serving(data_dir) as service:
        sender = Sender(service)
        assert until(lambda: sender.iso(upload)["status"] != "uploading")
        iso = sender.iso(upload)
        if checksum:
            assert (iso["status"], iso["size"]) == ("failed", 0)
            assert "is not" not in iso["statusMessage"][:1]
            assert "0" * 40 in iso["statusMessage"]
            assert list((data_dir / "objects" / "incoming").iterdir()) == []
        else:
            assert (iso["status"], iso["checksums"]["sha256"]) == ("ready", hashlib.sha256(small).hexdigest())
            assert sender.stored(upload) == small


@pytest.mark.parametrize(("when", "proof"), [("before", ""), ("after", f"sha256:{'0' * 64}")])
def test_who_dies_with_the_last_byte_in_hand_has_not_ended_the_upload(
    alone: Service, small: bytes, when: str, proof: str
):
    """A worker that looks finds too few bytes that count, and does not look again until somebody goes on with it."""
    sender, behind = Sender(alone), alone.behind
    upload = sender.begun(len(small))
    sender.send(upload, 0, small[:-1])
    _die(when, behind.settings.data_dir, upload, len(small) - 1, small[-1:], proof)
    assert _looked_at(behind) == [upload.rpartition("/")[2]]
    behind.tending.tend()
    assert (_looked_at(behind), sender.offset(upload)) == ([], len(small) - 1)
    assert sender.send(upload, len(small) - 1, small[-1:]).status_code == 204
    assert sender.stored(upload) == small


def test_bytes_that_nobody_compared_do_not_outlive_a_crash(tmp_path: Path, small: bytes):
    """A service that is killed while it takes bytes with a checksum goes back to where they began."""
    data_dir = tmp_path / "data"
    with serving(data_dir) as service:
        sender = Sender(service)
        upload = sender.begun(len(small))
        sender.send(upload, 0, small[:MIB])
        with sender.sending(upload, MIB, len(small) - MIB, **proof("sha256", small[MIB:])) as connection:
            connection.sendall(bytes(len(small) - MIB - 1))
            incoming = data_dir / "objects" / "incoming"
            assert until(lambda: sum(path.stat().st_size for path in incoming.glob("*.part")) > 2 * MIB)
            service.process.kill()
            service.process.wait()
    with serving(data_dir) as service:
        sender = Sender(service)
        assert sender.offset(upload) == MIB
        answer = sender.send(upload, MIB, small[MIB:], proof("sha256", small[MIB:]))
        assert (answer.status_code, sender.stored(upload)) == (204, small)


def test_changes_wait_until_an_upload_is_there(sender: Sender, small: bytes):
    """Its name may change meanwhile; what is read from the image may not."""
    upload = sender.begun(len(small))
    iso = upload.replace("uploads", "isos")
    client = sender.service.client()
    assert client.put(iso, json={"name": "renamed"}).status_code == 200
    assert client.put(iso, json={"bootable": False}).status_code == 409
    assert sender.send(upload, 0, small).status_code == 204
    assert sender.iso(upload)["name"] == "renamed"


def test_nothing_stays_of_what_the_store_refuses_at_its_beginning(alone: Service, small: bytes):
    """Neither a PUT nor the creation of an upload with bytes leaves an ISO that counts; nor an entry in the log."""
    incoming = alone.behind.settings.objects_dir / "incoming"
    incoming.rmdir()
    incoming.write_bytes(b"")  # where a directory belongs: even root cannot make a file below it
    put = Sender(alone).ask("PUT", f"{UPLOADS}/x.iso", content=small)
    assert (put.status_code, put.json()["errors"][0]["code"]) == (507, 5001)
    assert Sender(alone).begin(len(small), content=small).status_code == 507
    assert alone.get(ISOS) == []
    incoming.unlink()
    incoming.mkdir()
    assert Sender(alone).ask("PUT", f"{UPLOADS}/x.iso", content=small).status_code == 201


def test_the_log_tells_how_an_upload_ended(sender: Sender, small: bytes):
    """A PUT is one entry, of its end, and none where it broke off; an upload by tus is one, and one of its refusal."""
    began = utc_now()
    ready = sender.ask("PUT", f"{UPLOADS}/a.iso", content=small).json()["data"]["id"]
    assert sender.ask("PUT", f"{UPLOADS}/b.iso", content=bytes(2 * MIB)).status_code == 400
    with sender.sending(f"{UPLOADS}/cut.iso", 0, len(small), method="PUT") as connection:
        connection.sendall(small[:MIB])
        assert until(lambda: len(sender.service.get(ISOS)) > 1)
    assert until(lambda: len(sender.service.get(ISOS)) == 1)
    begun = sender.begun(2 * MIB)
    assert sender.send(begun, 0, bytes(2 * MIB)).status_code == 400
    log = sender.service.get("/v1/activity_log", operation="iso.upload", since=began)
    upload_id = begun.rpartition("/")[2]
    assert [entry["result"] for entry in log] == ["2101", "SUCCESS", "2101", "SUCCESS"]
    assert [entry["objectId"] for entry in log[:2]] == [upload_id, upload_id]
    assert (log[3]["objectId"], log[3]["objectName"], log[2]["objectName"]) == (ready, "a", "")


def test_the_log_has_who_uploaded(sender: Sender, small: bytes):
    """The beginning and the stopping of an upload are changes."""
    upload = sender.begun(len(small), "logged")
    sender.ask("DELETE", upload, **BYTES)
    log = sender.service.get("/v1/activity_log")
    found = [each["operation"] for each in log if each["objectId"] == upload.rpartition("/")[2]]
    assert sorted(found) == ["iso.upload", "upload.delete"]


def _die(when: str, data_dir: Path, upload: str, offset: int, data: bytes, proof: str = "") -> None:
    """Receive bytes in a process that ends at once before, or after, the store has them."""
    command = [sys.executable, "-c", DIE, when, str(data_dir), upload.rpartition("/")[2], str(offset), proof]
    done = subprocess.run(command, env=environment(), input=data, timeout=60, check=False)
    assert done.returncode == 9


def _looked_at(behind: Isobay) -> list[str]:
    with behind.catalog.reading() as tx:
        return behind.catalog.uploads.whole(tx)


def _expire(behind: Isobay, upload: str) -> None:
    with behind.catalog.writing() as tx:
        behind.catalog.uploads.postpone(tx, upload.rpartition("/")[2], utc_now())
