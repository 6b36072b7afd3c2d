"""Ranges and conditions, as RFC 9110 has them, over the whole way of a request."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from email import message_from_bytes
from email.policy import HTTP
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256

import httpx
import pytest

from isobay.http.ranges import MOST_RANGES

MIB = 1 << 20


def _parts(answer: httpx.Response) -> list[tuple[str, bytes]]:
    """The parts of a multipart answer: the range of each and its bytes, read by Python's own parser of MIME."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + answer.content, policy=HTTP)
    assert message.get_content_type() == "multipart/byteranges"
    assert not message.defects
    boundary = message.get_boundary().encode()
    found = []
    for raw in answer.content.split(b"\r\n--" + boundary)[1:-1]:
        headers, _, body = raw.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        part = message_from_bytes(headers, policy=HTTP)
        assert part.get_content_type() == "application/octet-stream"
        found.append((part["Content-Range"], body))
    assert len(found) == len(message.get_payload())
    return found


def test_the_whole_comes_with_all_that_tells_it_apart(shelved):
    """Bytes, length, tag, date and both digests are those of the image; it is an attachment and nothing else."""
    answer = shelved.get()
    digest = b64encode(sha256(shelved.data).digest()).decode()
    assert (answer.status_code, answer.content) == (200, shelved.data)
    assert answer.headers["content-length"] == str(len(shelved.data))
    assert answer.headers["etag"] == shelved.etag == f'"{shelved.iso["checksums"]["sha256"]}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert answer.headers["digest"] == f"sha-256={digest}"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith('attachment; filename="medium.iso"')
    assert parsedate_to_datetime(answer.headers["last-modified"])


def test_head_tells_what_get_would(shelved):
    """HEAD has the headers of the whole and no body, also where a range is asked for, which is for GET alone."""
    whole = shelved.get()
    for answer in (shelved.get("HEAD"), shelved.get("HEAD", Range="bytes=0-9")):
        assert (answer.status_code, answer.content) == (200, b"")
        assert {**answer.headers, "date": ""} == {**whole.headers, "date": ""}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-9", 0, 10),
        ("bytes=1048570-1048590", MIB - 6, MIB + 15),
        ("bytes=5000000-", 5_000_000, None),
        ("bytes=-7", -7, None),
        ("bytes=-99999999999", 0, None),
        ("bytes=100-99999999999", 100, None),
        ("BYTES=10-19", 10, 20),
        ("bytes= 10-19", 10, 20),
        ("bytes=,10-19,,", 10, 20),
        ("bytes=0-9,5-19", 0, 20),
        ("bytes=10-19,0-9", 0, 20),
        ("bytes=0-9,99999999999-", 0, 10),
    ],
)
def test_one_range_comes_as_it_was_asked_for(shelved, asked, start, end):
    """From, to, to the end, the last ones; parts that overlap or touch are one, and those outside are left out."""
    answer = shelved.get(Range=asked)
    expected = shelved.data[start:end]
    assert (answer.status_code, answer.content) == (206, expected)
    first = start if start >= 0 else len(shelved.data) + start
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(shelved.data)}"
    assert answer.headers["content-length"] == str(len(expected))
    assert answer.headers["etag"] == shelved.etag
    assert "repr-digest" in answer.headers


@pytest.mark.parametrize(
    ("asked", "spans"),
    [
        ("0-9, 100-109", [(0, 10), (100, 110)]),
        ("100-109,0-9", [(100, 110), (0, 10)]),
        ("0-9,5-19,100-2000000,-1", [(0, 20), (100, 2_000_001), (-1, None)]),
        (
            ",".join(f"{start}-{start}" for start in range(0, 2 * MOST_RANGES, 2)),
            [(n, n + 1) for n in range(0, 200, 2)],
        ),
    ],
)
def test_several_ranges_come_as_parts(shelved, asked, spans):
    """Each with its own place; in the order of the request, but for those that overlap, which are put together."""
    answer = shelved.get(Range=f"bytes={asked}")
    assert answer.status_code == 206
    assert answer.headers["content-length"] == str(len(answer.content))
    assert "content-range" not in answer.headers
    size = len(shelved.data)
    expected = []
    for start, end in spans:
        first, last = start % size, (end or size) - 1
        expected.append((f"bytes {first}-{last}/{size}", shelved.data[first : last + 1]))
    assert _parts(answer) == expected


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=", "bytes=-", "bytes=9-5", "bytes=a-b", "bytes=0-9;1-2", "bytes 0-9", "lines=0-9", "0-9", "bytes=--5",
        "bytes=+1-5", "bytes=0-" + "9" * 30, "bytes=" + ",".join(["0-0"] * (MOST_RANGES + 1)), "bytes=" + "0-0," * 2000,
    ],
)  # fmt: skip
def test_a_range_that_is_none_is_as_good_as_none(shelved, asked):
    """Nonsense, other units and more parts than anybody needs are answered with the whole, as RFC 9110 lets one."""
    answer = shelved.get(Range=asked)
    assert answer.status_code == 200
    assert answer.content == shelved.data


@pytest.mark.parametrize("asked", ["99999999999-", "99999999999-99999999999", "-0", "-0,99999999999-"])
def test_a_range_outside_says_how_much_there_is(shelved, asked):
    """416 with the size, in the envelope of errors."""
    answer = shelved.get(Range=f"bytes={asked}")
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(shelved.data)}"
    assert answer.json()["errors"][0]["context"] == {"size": len(shelved.data)}


def test_if_range_gives_the_rest_of_the_same_and_the_whole_of_another(shelved):
    """By tag or by date: the part where it is the same, the whole where it is not, or where the tag is weak."""
    date = shelved.get("HEAD").headers["last-modified"]
    earlier = format_datetime(parsedate_to_datetime(date) - timedelta(seconds=1), usegmt=True)
    for condition, status in (
        (shelved.etag, 206),
        (date, 206),
        ('"other"', 200),
        (f"W/{shelved.etag}", 200),
        (earlier, 200),
        ("nonsense", 200),
    ):
        answer = shelved.get(Range="bytes=10-", If_Range=condition)
        assert (answer.status_code, answer.content) == (status, shelved.data[10:] if status == 206 else shelved.data)
    assert shelved.get(Range="bytes=99999999999-", If_Range='"other"').status_code == 200


def test_what_the_caller_has_is_not_sent_again(shelved):
    """304 without a body for a tag or date that is known; a tag is asked before a date; a bad date is none."""
    date = shelved.get("HEAD").headers["last-modified"]
    moment = parsedate_to_datetime(date)
    later, earlier = (format_datetime(moment + timedelta(days=days), usegmt=True) for days in (1, -1))
    for status, headers in (
        (304, {"If-None-Match": shelved.etag}),
        (304, {"If-None-Match": f'"a", W/{shelved.etag}'}),
        (304, {"If-None-Match": "*"}),
        (304, {"If-None-Match": shelved.etag, "Range": "bytes=0-9"}),
        (304, {"If-Modified-Since": date}),
        (304, {"If-Modified-Since": later}),
        (200, {"If-None-Match": '"other"'}),
        (200, {"If-None-Match": '"other"', "If-Modified-Since": later}),
        (200, {"If-Modified-Since": earlier}),
        (200, {"If-Modified-Since": "yesterday"}),
    ):
        answer = shelved.get(**headers)
        assert (answer.status_code, answer.content) == (status, b"" if status == 304 else shelved.data), headers
        assert answer.headers["etag"] == shelved.etag
        assert ("content-length" in answer.headers) == (status == 200)


def test_another_version_than_wanted_is_refused(shelved):
    """412 where If-Match or If-Unmodified-Since does not hold, and only there; a weak tag is never good enough."""
    date = shelved.get("HEAD").headers["last-modified"]
    earlier = format_datetime(parsedate_to_datetime(date) - timedelta(days=1), usegmt=True)
    for status, headers in (
        (200, {"If-Match": shelved.etag}),
        (200, {"If-Match": "*"}),
        (200, {"If-Match": f'"a", {shelved.etag}', "If-Unmodified-Since": earlier}),
        (206, {"If-Match": shelved.etag, "Range": "bytes=0-9"}),
        (200, {"If-Unmodified-Since": date}),
        (412, {"If-Match": '"other"'}),
        (412, {"If-Match": f"W/{shelved.etag}"}),
        (412, {"If-Match": '"other"', "If-None-Match": shelved.etag}),
        (412, {"If-Unmodified-Since": earlier}),
    ):
        answer = shelved.get(**headers)
        assert answer.status_code == status, headers
        if status == 412:
            assert answer.json()["errors"][0]["context"] == {"etag": shelved.etag}


def test_a_file_in_the_image_has_ranges_too(shelved):
    """The same headers and parts, with a tag of its own, and no digest, which nobody knows."""

    def get(path: str = "/data.bin", **headers: str) -> httpx.Response:
        return shelved.service.client().get(f"{shelved.path}/files/content", params={"path": path}, headers=headers)

    whole = get()
    assert len(whole.content) == 5 * MIB
    assert whole.content in shelved.data
    assert whole.headers["etag"] not in (shelved.etag, get("/readme.txt").headers["etag"])
    assert "repr-digest" not in whole.headers
    part = get(Range="bytes=1048570-1048589", **{"If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, whole.content[1048570:1048590])
    several = get(Range="bytes=-4, 7-9")
    assert [body for _, body in _parts(several)] == [whole.content[-4:], whole.content[7:10]]
    assert get(**{"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert get("/empty").content == b""
    assert get("/empty", Range="bytes=0-").status_code == 416
