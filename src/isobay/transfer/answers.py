"""What servers answer, and what is said of it to people."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import pycurl
from msgspec import Struct

from isobay.errors import FetchError
from isobay.transfer.url import SourceUrl

MAX_HEADERS = 200
# curl.h's numbers of errors that the types of pycurl do not know
_E_WEIRD_SERVER_REPLY = 8
_E_PROXY = 97
_RANGE = re.compile(r"bytes\s+(\d+)-(\d+)/(\d+|\*)")
_NETWORK = {
    pycurl.E_COULDNT_RESOLVE_HOST: (
        "dns",
        "the name {host} cannot be resolved. Check its spelling, and this machine's DNS",
    ),
    pycurl.E_COULDNT_RESOLVE_PROXY: ("proxy", "the name of the proxy cannot be resolved. Check ISOBAY_PROXY"),
    pycurl.E_COULDNT_CONNECT: (
        "connect",
        "nothing takes the connection ({text}). Check the address and the port, and that no firewall is between",
    ),
    pycurl.E_OPERATION_TIMEDOUT: ("timeout", "the server was silent for too long ({text})"),
    pycurl.E_PEER_FAILED_VERIFICATION: (
        "tls",
        "its certificate is not trusted ({text}). Use the name it was made for, or trust its authority: ISOBAY_CA_FILE",
    ),
    pycurl.E_SSL_CONNECT_ERROR: (
        "tls-handshake",
        "no TLS connection comes about ({text}). Check that the port speaks https",
    ),
    pycurl.E_SSL_CACERT_BADFILE: ("tls", "the authorities in ISOBAY_CA_FILE cannot be read ({text})"),
    pycurl.E_URL_MALFORMAT: ("url", "this is no URL that can be fetched ({text})"),
    # of http and https: what answered is HTTP/0.9, that is anything
    pycurl.E_UNSUPPORTED_PROTOCOL: ("protocol", "what answers there does not speak HTTP"),
    _E_PROXY: ("proxy", "the proxy refuses ({text}). Check ISOBAY_PROXY"),
    _E_WEIRD_SERVER_REPLY: ("protocol", "what answers there does not speak HTTP"),
}
_STATUS = {
    400: "the server does not understand the request",
    401: "the server wants a user name and password, or does not take those given. Put them into the URL, or into "
    "ISOBAY_NETRC_FILE",
    403: "the server does not allow it. Check the login, and whether a signed URL has expired",
    404: "there is no such file on the server. Check the URL; releases move when a newer one comes",
    407: "the proxy wants a login. Put it into ISOBAY_PROXY",
    410: "the file is gone for good. Look for the newer one",
    416: "the server has fewer bytes than were asked for",
    429: "the server wants fewer requests",
}
_FINAL = frozenset({"tls", "url", "protocol"})
_WORTH_RETRYING = frozenset({408, 425, 429, 500, 502, 503, 504})


class Hop(Struct, frozen=True):
    """One redirect: the URL that was asked, its status, and the address that answered."""

    url: SourceUrl
    status: int
    address: str


class Answer(Struct, frozen=True):
    """The head of an answer. Names of headers are lower case."""

    url: SourceUrl
    hops: tuple[Hop, ...]
    address: str
    status: int
    headers: dict[str, str]

    @classmethod
    def read(cls, url: SourceUrl, hops: tuple[Hop, ...], address: str, lines: list[str]) -> Answer:
        """Read the lines of a head; the last of several headers of one name counts."""
        words = lines[0].split(None, 2) if lines else []
        status = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return cls(url, hops, address, status, headers)

    def header(self, name: str) -> str:
        """A header's value, or nothing."""
        return self.headers.get(name, "")

    @property
    def length(self) -> int:
        """The whole file's size in bytes; -1 where the server does not say."""
        if self.status == 206 or self.status == 416:
            found = re.search(r"/(\d+)\s*$", self.header("content-range"))
            return int(found[1]) if found else -1
        length = self.header("content-length")
        return int(length) if length.isascii() and length.isdecimal() and len(length) < 40 else -1

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last byte of a partial answer (RFC 9110 14.4)."""
        found = _RANGE.fullmatch(self.header("content-range"))
        return (int(found[1]), int(found[2])) if found else None

    @property
    def retry_after(self) -> int:
        """How many seconds the server wants to be left alone; 0 where it does not say."""
        given = self.header("retry-after")
        return min(int(given), 3600) if given.isascii() and given.isdecimal() and len(given) < 9 else 0

    def version(self) -> Version:
        """What tells this file from another one under the same URL."""
        return Version(self.header("etag"), self.header("last-modified"), self.length)


class Version(Struct, frozen=True):
    """What a server says of a file: ETag, date of its last change, and length in bytes (-1 is unknown)."""

    etag: str = ""
    modified: str = ""
    length: int = -1

    @property
    def condition(self) -> str:
        """What goes into If-Range; nothing where no validator is strong enough (RFC 9110 13.1.5, 8.8)."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.modified if _is_date(self.modified) else ""

    def differs(self, other: Version) -> bool:
        """Whether the other is surely of another file: what only one of them says, tells nothing."""
        pairs = ((self.etag, other.etag), (self.modified, other.modified))
        return any(mine and theirs and mine != theirs for mine, theirs in pairs) or (
            self.length >= 0 and other.length >= 0 and self.length != other.length
        )


def add_line(lines: list[str], line: bytes) -> bool:
    """Take a line of an answer's head as libcurl gives it; whether the head is whole.

    Each status line begins anew: the head of an interim answer (RFC 9110 15.2) is not that of the last one.
    """
    text = line.decode("latin-1").rstrip("\r\n")
    if text.startswith("HTTP/"):
        lines[:] = [text]
    elif text and len(lines) < MAX_HEADERS:
        lines.append(text)
    return not text


def network_failure(url: SourceUrl, error: pycurl.error) -> FetchError:
    """The error for what libcurl says."""
    code, text = int(error.args[0]), " ".join(map(str, error.args[1:]))
    reason, sentence = _NETWORK.get(code, ("cut", "the connection was cut ({text})"))
    said = sentence.format(host=url.host, text=text.rstrip(". "))
    return FetchError(f"{url.shown}: {said}.", reason=reason, retry=reason not in _FINAL)


def status_failure(answer: Answer) -> FetchError:
    """The error for a status that brings no bytes."""
    said = _STATUS.get(
        answer.status, "the server failed" if answer.status >= 500 else "the server does not give the file"
    )
    return FetchError(
        f"{answer.url.shown}: {said} (HTTP {answer.status}).",
        reason="http",
        httpStatus=answer.status,
        retry=answer.status in _WORTH_RETRYING,
        retryAfter=answer.retry_after,
    )


def _is_date(text: str) -> bool:
    try:
        parsedate_to_datetime(text)
    except ValueError:
        return False
    return True
