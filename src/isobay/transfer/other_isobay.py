"""An isobay elsewhere, spoken to over its API: the other side of ``http``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Self, TypeVar
from urllib.parse import quote

import msgspec
import pycurl
from msgspec import Struct

from isobay.errors import FetchError, IsobayError, error_classes
from isobay.transfer.answers import Answer, add_line, network_failure
from isobay.transfer.curl import BUFFER, Handle
from isobay.transfer.url import SourceUrl

MAX_ANSWER = 4 << 20
_OF_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_CLASSES = {each.code: each for each in error_classes()}

T = TypeVar("T")
Take = Callable[[Answer, bytes], None]


class _Envelope(Struct, frozen=True):
    data: msgspec.Raw


class Body(Struct, frozen=True):
    """What is sent: ``size`` bytes, of which ``read`` gives at most so many at a time."""

    read: Callable[[int], bytes]
    size: int


class OtherIsobay:
    """One environment of an isobay, asked with one key. Not for use by two threads at once.

    Its methods raise what the service answers, as the error that it is there, and FetchError for the network and for
    what is no isobay; ``context["retry"]`` says whether another try may help. Redirects are not followed: the key is
    for this isobay.
    """

    def __init__(self, url: str, key: str, service: str, environment: str, ca_file: str, stall_seconds: int) -> None:
        self._base = SourceUrl.parse(url)
        self._root = f"{url.rstrip('/')}/v1/services/{quote(service, safe='')}/{quote(environment, safe='')}"
        self._key = key
        self._handle = Handle(ca_file, stall_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def _read(self, path: str, kind: type[T], headers: Iterable[str] = (), method: str = "GET") -> T:
        """What the service tells under ``data``, as this kind."""
        told = bytearray()

        def take(answer: Answer, piece: bytes) -> None:
            told.extend(piece)
            if len(told) > MAX_ANSWER:
                raise self._no_isobay(answer.status)

        answer = self._ask(method, path, headers, take)
        try:
            return msgspec.json.decode(msgspec.json.decode(told, type=_Envelope).data, type=kind)
        except msgspec.MsgspecError as error:
            raise self._no_isobay(answer.status) from error

    def _ask(
        self, method: str, path: str, headers: Iterable[str], take: Take | None = None, body: Body | None = None
    ) -> Answer:
        """Ask for a path; ``take`` is given the head of a good answer with each piece of what follows."""
        answer = Answer(self._base, (), "", 0, {})
        lines: list[str] = []
        refusal = bytearray()

        def head(line: bytes) -> None:
            nonlocal answer
            if add_line(lines, line):
                answer = Answer.read(self._base, (), "", lines)

        def data(piece: bytes) -> None:
            if not _is_good(answer):
                refusal.extend(piece[: MAX_ANSWER - len(refusal)])
            elif take is not None:
                take(answer, piece)

        self._prepare(method, path, headers, body)
        self._handle.options.setopt(pycurl.HEADERFUNCTION, self._handle.calling(head))
        self._handle.options.setopt(pycurl.WRITEFUNCTION, self._handle.calling(data))
        try:
            self._handle.perform()
        except pycurl.error as error:
            raise network_failure(self._base, error) from error
        if not _is_good(answer):
            raise self._refused(answer.status, bytes(refusal))
        return answer

    def _prepare(self, method: str, path: str, headers: Iterable[str], body: Body | None) -> None:
        curl = self._handle.options
        curl.setopt(pycurl.URL, self._root + path)
        curl.setopt(pycurl.HTTPHEADER, [f"MC-Api-Key: {self._key}", *headers])
        curl.setopt(pycurl.UPLOAD, int(body is not None))
        curl.setopt(pycurl.CUSTOMREQUEST, method)  # after the other, which would name one too
        if body is not None:
            curl.setopt(pycurl.INFILESIZE_LARGE, body.size)
            curl.setopt(pycurl.UPLOAD_BUFFERSIZE, BUFFER)
            curl.setopt(pycurl.READFUNCTION, self._handle.calling(body.read))

    def _refused(self, status: int, refusal: bytes) -> IsobayError:
        try:
            told = msgspec.json.decode(refusal)["errors"][0]
            code, message, context = int(told["code"]), str(told["message"]), dict(told["context"])
        except (msgspec.DecodeError, LookupError, TypeError, ValueError):
            return self._no_isobay(status)
        kind = _CLASSES.get(code, IsobayError)
        error = kind.__new__(kind)
        IsobayError.__init__(error, message)
        error.context = {**context, "retry": status in _OF_PASSING}
        return error

    def _no_isobay(self, status: int) -> FetchError:
        return FetchError(
            f"{self._base.shown} does not answer as isobay does (HTTP {status}). Check the URL.",
            reason="http",
            retry=status in _OF_PASSING,
        )


def _is_good(answer: Answer) -> bool:
    return 200 <= answer.status < 300
