"""tus 1.0.0, header by header."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise

import httpx
import pytest
from sender import BYTES, LEAST, MAX_ISO_BYTES, UPLOADS, VERSION, Sender, metadata, proof

from processes import until
from service import Service

MIB = 1 << 20


def _code(answer: httpx.Response) -> tuple[int, int]:
    (error,) = answer.json()["errors"]
    assert answer.headers.get("tus-resumable") == "1.0.0"
    assert error["message"].endswith(".")
    return answer.status_code, error["code"]


def test_options_tells_what_there_is(sender: Sender):
    """Without a key or a version, at the collection and at one upload."""
    for path in (UPLOADS, f"{UPLOADS}/some"):
        answer = httpx.options(sender.service.address + path)
        assert answer.status_code == 204
        assert answer.headers["tus-version"] == "1.0.0"
        assert answer.headers["tus-extension"] == "creation,creation-with-upload,termination,checksum,expiration"
        assert answer.headers["tus-max-size"] == str(MAX_ISO_BYTES)
        assert answer.headers["tus-checksum-algorithm"] == "sha256,sha1,md5"
        assert "PATCH" in answer.headers["allow"] or path == UPLOADS


def test_an_upload_in_three_requests_is_an_iso(sender: Sender, small: bytes):
    """It is one from the beginning, is known by its first bytes, and is ready with its last byte."""
    answer = sender.begin(len(small), "Debian", description="netinst", extractable="true")
    assert (answer.status_code, answer.headers["tus-resumable"]) == (201, "1.0.0")
    upload = answer.headers["location"]
    assert upload.startswith(f"{UPLOADS}/")
    assert answer.json()["data"]["id"] == upload.rpartition("/")[2]
    assert sender.offset(upload) == 0
    begun = sender.iso(upload)
    assert (begun["status"], begun["ready"], begun["size"], begun["osId"]) == ("uploading", False, len(small), "")
    assert (begun["name"], begun["description"], begun["extractable"]) == ("Debian", "netinst", True)

    answer = sender.send(upload, 0, small[: 5 * MIB])
    assert (answer.status_code, answer.headers["upload-offset"], answer.content) == (204, str(5 * MIB), b"")
    midway = sender.iso(upload)
    assert (midway["status"], midway["bootable"], midway["osVersion"]) == ("uploading", True, "14")
    assert midway["progress"] == pytest.approx(5 * MIB / len(small))

    answer = sender.send(upload, 5 * MIB, small[5 * MIB :])
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(len(small)))
    done = sender.iso(upload)
    assert (done["status"], done["ready"], done["size"], done["progress"]) == ("ready", True, len(small), 1)
    assert done["checksums"] == {"sha256": hashlib.sha256(small).hexdigest()}
    assert sender.stored(upload) == small


def test_head_tells_all_that_a_client_needs(sender: Sender, small: bytes):
    """Offset, length and, until all is there, expiry; nobody may keep the answer."""
    upload = sender.begun(len(small))
    sender.send(upload, 0, small[:100])
    for offset in (100, len(small)):
        answer = sender.ask("HEAD", upload, **VERSION)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["upload-offset"] == str(offset)
        assert answer.headers["upload-length"] == str(len(small))
        assert answer.headers["cache-control"] == "no-store"
        assert ("upload-expires" in answer.headers) == (offset == 100)
        if offset == 100:
            left = parsedate_to_datetime(answer.headers["upload-expires"]) - datetime.now(UTC)
            assert timedelta(hours=23) < left <= timedelta(hours=24)
            assert sender.send(upload, 100, small[100:]).status_code == 204


def test_creation_may_bring_the_first_bytes_or_all(sender: Sender, small: bytes):
    """creation-with-upload."""
    answer = sender.begin(len(small), content=small[:1000])
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "1000")
    assert sender.send(answer.headers["location"], 1000, small[1000:]).status_code == 204
    answer = sender.begin(len(small), content=small)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(small)))
    assert answer.json()["data"]["status"] == "ready"
    assert sender.stored(answer.headers["location"]) == small


def test_a_body_may_be_chunked(sender: Sender, small: bytes):
    """No length is said, and pieces of any size come."""
    upload = sender.begun(len(small))
    pieces = (small[start : start + 70_001] for start in range(0, len(small), 70_001))
    assert sender.send(upload, 0, pieces).status_code == 204
    assert sender.stored(upload) == small


def test_other_offsets_are_refused_and_told_the_right_one(sender: Sender, small: bytes):
    """Before, beyond, and when all is there; nothing is written."""
    upload = sender.begun(len(small))
    sender.send(upload, 0, small[:1000])
    for offset in (0, 999, 1001, len(small)):
        answer = sender.send(upload, offset, b"x")
        assert _code(answer) == (409, 2013)
        assert answer.headers["upload-offset"] == "1000"
    assert sender.send(upload, 1000, small[1000:]).status_code == 204
    for offset in (0, len(small)):
        answer = sender.send(upload, offset, b"x")
        assert _code(answer) == (409, 2012)
        assert "complete" in answer.json()["errors"][0]["message"]
        assert answer.headers["upload-offset"] == str(len(small))
    assert sender.stored(upload) == small


@pytest.mark.parametrize("chunked", [False, True])
def test_more_than_was_said_is_refused(sender: Sender, small: bytes, chunked: bool):
    """Nothing of such a request is kept, and the upload goes on."""
    upload = sender.begun(len(small))
    sender.send(upload, 0, small[:1000])
    too_much = small[1000:] + b"more"
    answer = sender.send(upload, 1000, iter([small[1000:], b"more"]) if chunked else too_much)
    assert _code(answer) == (413, 4003)
    assert sender.offset(upload) == 1000
    assert sender.send(upload, 1000, small[1000:]).status_code == 204
    assert sender.stored(upload) == small


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_bytes_are_compared_with_their_checksum(sender: Sender, small: bytes, algorithm: str):
    """Right ones are kept, others are given back; the upload goes on, also where they are its beginning or its end."""
    upload = sender.begun(len(small))
    cuts = [0, 2 * MIB, len(small) - 5, len(small)]
    for start, end in pairwise(cuts):
        right = small[start:end]
        wrong = bytes(len(right))
        answer = sender.send(upload, start, wrong, proof(algorithm, right))
        assert _code(answer) == (460, 2107)
        assert sender.offset(upload) == start
        answer = sender.send(upload, start, right, proof(algorithm, right))
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(end))
    assert sender.stored(upload) == small


def test_a_cut_gives_bytes_with_a_checksum_back(sender: Sender, small: bytes):
    """Nobody can compare half of them; those without one are kept."""
    upload = sender.begun(len(small))
    half = len(small) // 2
    with sender.sending(upload, 0, len(small)) as connection:
        connection.sendall(small[:half])
        assert until(lambda: sender.offset(upload) > 0)
    assert until(lambda: _is_free(sender, upload))
    kept = sender.offset(upload)
    assert kept > 0
    with sender.sending(upload, kept, len(small) - kept, **proof("sha1", small[kept:])) as connection:
        connection.sendall(small[kept : kept + 2 * MIB])
        assert until(lambda: _on_disk(sender) > kept)
        assert sender.offset(upload) == kept
    assert until(lambda: _is_free(sender, upload))
    assert sender.offset(upload) == kept
    assert sender.send(upload, kept, small[kept:]).status_code == 204
    assert sender.stored(upload) == small


def test_one_of_two_writers_is_refused(sender: Sender, small: bytes):
    """While one sends, another gets 423 whatever offset it names; no bytes are mixed, and the end of one frees it."""
    upload = sender.begun(len(small))
    with sender.sending(upload, 0, len(small)) as connection:
        connection.sendall(small[:MIB])
        assert until(lambda: sender.offset(upload) > 0)
        for offset in (0, sender.offset(upload)):
            assert _code(sender.send(upload, offset, bytes(MIB))) == (423, 2017)
        connection.sendall(small[MIB:])
        assert connection.recv(12) == b"HTTP/1.1 204"
    assert sender.stored(upload) == small


def test_who_sends_nothing_for_too_long_is_cut_off(sender: Sender, small: bytes):
    """408, and what came is kept for another request."""
    upload = sender.begun(len(small))
    with sender.sending(upload, 0, len(small)) as connection:
        connection.sendall(small[: MIB + 5])
        assert connection.recv(12) == b"HTTP/1.1 408"
    assert sender.offset(upload) == MIB + 5
    assert sender.send(upload, MIB + 5, small[MIB + 5 :]).status_code == 204
    assert sender.stored(upload) == small


def test_deleting_stops_an_upload(sender: Sender, small: bytes):
    """It is gone as if it had never been, with its ISO and its bytes, also while somebody sends."""
    upload = sender.begun(len(small))
    with sender.sending(upload, 0, len(small)) as connection:
        connection.sendall(small[: 2 * MIB])
        assert until(lambda: sender.offset(upload) > 0)
        answer = sender.ask("DELETE", upload, **VERSION)
        assert (answer.status_code, answer.headers["tus-resumable"]) == (204, "1.0.0")
        connection.sendall(small[2 * MIB :])
        assert connection.recv(12) == b"HTTP/1.1 404"
    for method in ("HEAD", "DELETE", "PATCH"):
        assert sender.ask(method, upload, **BYTES, Upload_Offset="0").status_code == 404
    assert sender.service.get(UPLOADS.replace("uploads", "isos")) == []


def test_an_upload_that_is_whole_is_not_stopped(sender: Sender, small: bytes):
    """It is an ISO, which is deleted as such."""
    upload = sender.begin(len(small), content=small).headers["location"]
    assert _code(sender.ask("DELETE", upload, **VERSION)) == (409, 2012)
    assert sender.stored(upload) == small


def test_every_request_names_the_version(sender: Sender):
    """412 without it or with another, and then it is said which there is."""
    upload = sender.begun(LEAST)
    for given in ({}, {"Tus-Resumable": "0.2.2"}):
        for method, path in (("POST", UPLOADS), ("HEAD", upload), ("PATCH", upload), ("DELETE", upload)):
            answer = sender.ask(method, path, **given, Upload_Length=str(LEAST), Upload_Offset="0")
            assert answer.status_code == 412
            if given:
                assert answer.headers["tus-version"] == "1.0.0"
    assert sender.offset(upload) == 0


def test_post_stands_for_methods_that_do_not_get_through(sender: Sender, small: bytes):
    """X-HTTP-Method-Override, in any case; a POST without it is a method that is not there."""
    upload = sender.begun(len(small))
    answer = sender.send_by_post(upload, "PATCH", small[:10])
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "10")
    assert sender.send_by_post(upload, "head").headers["upload-offset"] == "10"
    assert sender.send_by_post(upload, "GETTY").status_code == 405
    assert sender.ask("POST", upload, **VERSION).status_code == 405
    assert sender.send_by_post(upload, "DELETE").status_code == 204
    assert sender.ask("HEAD", upload, **VERSION).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Upload_Length": "0"}, 400),
        ({"Upload_Length": str(LEAST - 1)}, 400),
        ({"Upload_Length": "-5"}, 400),
        ({"Upload_Length": "1e3"}, 400),
        ({"Upload_Length": "9" * 400}, 400),
        ({"Upload_Length": str(MAX_ISO_BYTES + 1)}, 413),
        ({"Upload_Defer_Length": "1"}, 400),
        ({"Upload_Length": str(LEAST), "Upload_Concat": "partial"}, 400),
        ({"Upload_Length": str(LEAST), "Upload_Metadata": ""}, 400),
        ({"Upload_Length": str(LEAST), "Upload_Metadata": "name =="}, 400),
        ({"Upload_Length": str(LEAST), "Upload_Metadata": "name eA"}, 400),
        ({"Upload_Length": str(LEAST), "Upload_Metadata": "name eA==,name eA=="}, 400),
        ({"Upload_Length": str(LEAST), "Upload_Metadata": "name gICA"}, 400),
        ({"Upload_Length": str(LEAST), "Upload_Metadata": "name " + base64.b64encode(bytes(20_000)).decode()}, 400),
        ({"Upload_Length": str(LEAST), "Upload_Checksum": "crc32 AAAA"}, 400),
        ({"Upload_Length": str(LEAST), "Upload_Checksum": "sha1 AAAA"}, 400),
    ],
)
def test_a_bad_beginning_is_refused(sender: Sender, headers: dict[str, str], status: int):
    """Headers that are missing, wrong or of extensions that are not here; nothing is kept."""
    answer = sender.ask("POST", **{"Upload_Metadata": "name eA==", **VERSION, **headers})
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["message"].endswith(".")
    assert sender.service.get(UPLOADS.replace("uploads", "isos")) == []


def test_bytes_of_another_type_are_refused(sender: Sender):
    """415, at a creation as well."""
    upload = sender.begun(LEAST)
    for method, path in (("PATCH", upload), ("POST", UPLOADS)):
        given = {**VERSION, "Upload_Offset": "0", "Upload_Length": str(LEAST), "Upload_Metadata": "name eA=="}
        answer = sender.ask(method, path, content=b"12345", **given, Content_Type="application/octet-stream")
        assert _code(answer) == (415, 4015)


def test_only_who_may_write_uploads(service: Service, sender: Sender, small: bytes):
    """A viewer may not; another environment's key sees what it sees of an upload that there never was."""
    here = next(each["id"] for each in service.get("/v1/environments") if each["name"] == "test_area")
    upload = sender.begun(len(small))
    viewer = Sender(service, service.new_key("viewer", here))
    assert viewer.begin(LEAST).status_code == 403
    assert viewer.send(upload, 0, b"x").status_code == 403
    there = service.new_environment("elsewhere")
    elsewhere = UPLOADS.replace("test_area", "elsewhere")
    foreign = Sender(service, service.new_key("editor", there), elsewhere)
    upload_id = upload.rpartition("/")[2]
    unknown = "00000000-0000-4000-8000-000000000000"
    for method in ("GET", "PATCH", "DELETE"):
        told = []
        for each in (upload_id, unknown):
            answer = foreign.ask(method, f"{elsewhere}/{each}", **BYTES, Upload_Offset="0", content=b"x")
            told.append((answer.status_code, answer.text.replace(each, "ID")))
        assert told[0] == told[1]
        assert told[0][0] == 404
        assert foreign.ask(method, upload, **BYTES, Upload_Offset="0").status_code == 404
    assert sender.offset(upload) == 0


def _is_free(sender: Sender, upload: str) -> bool:
    """Whether nobody holds the upload: an offset that is never right is then what is wrong."""
    return sender.send(upload, 1 << 40, b"").status_code == 409


def _on_disk(sender: Sender) -> int:
    incoming = sender.service.behind.settings.objects_dir / "incoming"
    return sum(path.stat().st_size for path in incoming.glob("*.part"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "is missing; send this header"),
        ({"Upload-Length": "5 MiB"}, "must be a number of bytes, in at most 19 digits"),
        ({"Upload-Length": "9" * 19}, "nothing larger than"),
    ],
    ids=["none", "no number", "too large"],
)
def test_what_is_wrong_with_a_length_is_said(sender: Sender, given: dict[str, str], said: str):
    """Each in its own words, under the name of the header."""
    answer = sender.service.client().post(UPLOADS, headers={**VERSION, **metadata(name="x"), **given})
    assert answer.status_code == 400
    assert said in answer.json()["errors"][0]["context"]["fields"]["Upload-Length"]


def test_a_request_that_brings_too_much_is_told_what_is_missing(sender: Sender, small: bytes):
    """How much is here, how much it brings, and that nothing of it was taken: which is so."""
    upload = sender.begun(len(small))
    sender.send(upload, 0, small[:1000])
    answer = sender.send(upload, 1000, small)
    assert answer.status_code == 413
    assert f"1000 of them are here, and this request brings {len(small)}" in answer.json()["errors"][0]["message"]
    assert sender.offset(upload) == 1000
