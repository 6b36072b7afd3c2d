"""Fetching an image from an isobay by libcurl, from wherever it stopped before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import pycurl
from msgspec import Struct

from isobay.errors import FetchError, InvalidFieldsError, NotFoundError
from isobay.model import Iso
from isobay.transfer.answers import Answer, network_failure
from isobay.transfer.client import BUFFER, CONNECT_SECONDS, USER_AGENT
from isobay.transfer.network import trust
from isobay.transfer.url import SourceUrl

MAX_ANSWER = 1 << 20
_OF_PASSING = frozenset({408, 429, 500, 502, 503, 504})

T = TypeVar("T")
Told = Callable[[int], None]


class _One(Struct, frozen=True):
    data: Iso


class _Many(Struct, frozen=True):
    data: list[Iso]


class Receiver:
    """One environment of an isobay, read with one key. Not for use by two threads at once.

    Its methods raise NotFoundError for what is not there, and FetchError for the network and all other refusals;
    ``context["retry"]`` says whether another try may help. Nobody is followed elsewhere: the key is for this isobay.
    """

    def __init__(self, url: str, key: str, service: str, environment: str, ca_file: str, stall_seconds: int) -> None:
        self._base = SourceUrl.parse(url)
        self._root = f"{url.rstrip('/')}/v1/services/{quote(service, safe='')}/{quote(environment, safe='')}/isos"
        self._key = key
        self._curl = pycurl.Curl()
        self._failure: BaseException | None = None
        self._lines: list[str] = []
        self._prepare(ca_file, stall_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._curl.close()

    def iso(self, word: str) -> Iso:
        """The ISO that is meant by an id, or a name that only one has. InvalidFieldsError where several have it."""
        try:
            return self._read(f"/{quote(word, safe='')}", _One).data
        except NotFoundError:
            found = self._read(f"?{urlencode({'name': word, 'page_size': 2})}", _Many).data
            if len(found) > 1:
                raise InvalidFieldsError({"id": f"{word!r} may be several ISOs; give the whole id"}) from None
            if not found:
                raise
            return found[0]

    def fetch(self, iso: Iso, have: int, take: Callable[[bytes], None], begin: Told) -> None:
        """Fetch what comes after the first ``have`` bytes; ``take`` is given the bytes in turn.

        ``begin`` is told first where they begin, which is 0 where the service has other bytes by now.
        """
        headers = [f"Range: bytes={have}-", f'If-Range: "{iso.checksums["sha256"]}"'] if have else []

        def answered(answer: Answer) -> None:
            start = answer.span[0] if answer.status == 206 and answer.span else 0
            if start not in (0, have):
                raise self._no_isobay(answer.status)
            begin(start)

        self._get(f"/{iso.id}/content", headers, answered, take)

    def _read(self, path: str, kind: type[T]) -> T:
        body = bytearray()

        def take(data: bytes) -> None:
            body.extend(data)
            if len(body) > MAX_ANSWER:
                raise self._no_isobay(200)

        self._get(path, [], lambda _answer: None, take)
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            raise self._no_isobay(200) from error

    def _get(
        self, path: str, headers: list[str], answered: Callable[[Answer], None], take: Callable[[bytes], None]
    ) -> None:
        curl, refusal = self._curl, bytearray()
        has_begun = False
        self._failure, self._lines = None, []

        def data(piece: bytes) -> None:
            nonlocal has_begun
            answer = self._answer()
            if answer.status not in (200, 206):
                refusal.extend(piece[: MAX_ANSWER - len(refusal)])
                return
            if not has_begun:
                answered(answer)
                has_begun = True
            take(piece)

        curl.setopt(pycurl.URL, self._root + path)
        curl.setopt(pycurl.HTTPHEADER, [f"MC-Api-Key: {self._key}", *headers])
        curl.setopt(pycurl.HEADERFUNCTION, lambda line: self._lines.append(line.decode("latin-1").rstrip("\r\n")))
        curl.setopt(pycurl.WRITEFUNCTION, lambda piece: self._calling(data, piece))
        try:
            curl.perform()
        except pycurl.error as error:
            if self._failure is not None:
                raise self._failure from error
            failure = network_failure(self._base, int(error.args[0]), " ".join(map(str, error.args[1:])))
            failure.context.setdefault("retry", True)
            raise failure from error
        status = self._answer().status
        if status not in (200, 206):
            raise self._refusal(status, bytes(refusal))

    def _answer(self) -> Answer:
        return Answer.read(self._base, (), "", [line for line in self._lines if line])

    def _prepare(self, ca_file: str, stall_seconds: int) -> None:
        curl = self._curl
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.USERAGENT, USER_AGENT)
        curl.setopt(pycurl.BUFFERSIZE, BUFFER)
        curl.setopt(pycurl.CONNECTTIMEOUT, CONNECT_SECONDS)
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        curl.setopt(pycurl.LOW_SPEED_TIME, stall_seconds)
        trust(curl, ca_file)

    def _calling(self, function: Callable[[bytes], Any], data: bytes) -> int:
        # What a callback raises would be printed and lost; it is kept, and the transfer ended.
        try:
            function(data)
        except BaseException as error:  # noqa: BLE001 -- raised again by _get
            self._failure = error
            return -1
        return len(data)

    def _refusal(self, status: int, answer: bytes) -> FetchError | NotFoundError:
        try:
            message = str(msgspec.json.decode(answer)["errors"][0]["message"])
        except (msgspec.DecodeError, LookupError, TypeError):
            return self._no_isobay(status)
        if status == 404:
            return NotFoundError(message)
        return FetchError(message, reason="http", retry=status in _OF_PASSING)

    def _no_isobay(self, status: int) -> FetchError:
        return FetchError(
            f"{self._base.shown} does not answer as isobay does (HTTP {status}). Check the URL.",
            reason="http",
            retry=status in _OF_PASSING,
        )
