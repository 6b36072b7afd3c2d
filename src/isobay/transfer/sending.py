"""Sending an image to an isobay: tus 1.0.0 by libcurl, the other side of ``http/uploads.py``."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import pycurl
from msgspec import Struct

from isobay.errors import FetchError, IsobayError, error_classes
from isobay.model import Iso, Upload
from isobay.transfer.answers import network_failure
from isobay.transfer.client import BUFFER, CONNECT_SECONDS, USER_AGENT
from isobay.transfer.network import trust
from isobay.transfer.url import SourceUrl

VERSION = "Tus-Resumable: 1.0.0"
MAX_ANSWER = 4 << 20
LOOKED_AT = 100
# Others have it in hand, it is elsewhere than was thought, bytes were damaged or did not come, or it does not answer.
_WORTH_RETRYING = frozenset({1000, 2012, 2013, 2017, 2107, 4008, 5002})
_OF_PROXIES = frozenset({408, 429, 500, 502, 503, 504})
_CLASSES = {each.code: each for each in error_classes()}

T = TypeVar("T")
Told = Callable[[int], None]


class _One(Struct, frozen=True):
    data: msgspec.Raw


class _Many(Struct, frozen=True):
    data: list[Iso]


class Sender:
    """One environment of an isobay, to which images are sent with one key. Not for use by two threads at once.

    Its methods raise what the service answers, as the error that it is there, and FetchError for the network.
    """

    def __init__(self, url: str, key: str, service: str, environment: str, ca_file: str, stall_seconds: int) -> None:
        base = SourceUrl.parse(url)
        self._base = base
        self._root = url.rstrip("/")
        self._path = f"/v1/services/{quote(service, safe='')}/{quote(environment, safe='')}"
        self._key = key
        self._ca_file = ca_file
        self._stall_seconds = stall_seconds
        self._curl = pycurl.Curl()
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._curl.close()

    def find(self, size: int, checksum: str) -> Upload | None:
        """An upload of this very image that somebody began, here or on another machine, and did not end."""
        query = urlencode({"status": "uploading", "size": size, "page_size": LOOKED_AT})
        for iso in msgspec.json.decode(self._ask("GET", f"/isos?{query}"), type=_Many).data:
            upload = self.upload(iso.id)
            if (upload.checksum, upload.length) == (checksum, size):
                return upload
        return None

    def begin(self, size: int, said: dict[str, str]) -> Upload:
        """Begin an upload of ``size`` bytes."""
        pairs = (f"{key} {b64encode(value.encode()).decode()}" for key, value in said.items() if value)
        headers = [VERSION, f"Upload-Length: {size}", f"Upload-Metadata: {','.join(pairs)}"]
        return self._one(self._ask("POST", "/uploads", headers), Upload)

    def upload(self, upload_id: str) -> Upload:
        """How far an upload is."""
        return self._one(self._ask("GET", f"/uploads/{upload_id}", [VERSION]), Upload)

    def iso(self, iso_id: str) -> Iso:
        """The ISO that an upload is."""
        return self._one(self._ask("GET", f"/isos/{iso_id}"), Iso)

    def send(self, upload: Upload, file: BinaryIO, told: Told) -> None:
        """Send what is missing; ``told`` hears now and then of the bytes that are sent."""
        file.seek(upload.offset)
        headers = [VERSION, f"Upload-Offset: {upload.offset}", "Content-Type: application/offset+octet-stream"]

        def read(size: int) -> bytes:
            told(file.tell())
            return file.read(size)

        self._ask("PATCH", f"/uploads/{upload.id}", headers, read, upload.length - upload.offset)

    def _ask(
        self,
        method: str,
        path: str,
        headers: list[str] | None = None,
        read: Callable[[int], bytes] | None = None,
        size: int = 0,
    ) -> bytes:
        curl, answer = self._curl, bytearray()

        def write(data: bytes) -> None:
            answer.extend(data)
            if len(answer) > MAX_ANSWER:
                raise FetchError(f"{self._root} answers more than an isobay does. Check the URL.", reason="protocol")

        self._prepare(method, path, headers or [])
        curl.setopt(pycurl.WRITEFUNCTION, lambda data: self._calling(write, data))
        if read is not None:
            curl.setopt(pycurl.UPLOAD, 1)
            curl.setopt(pycurl.CUSTOMREQUEST, method)
            curl.setopt(pycurl.INFILESIZE_LARGE, size)
            curl.setopt(pycurl.UPLOAD_BUFFERSIZE, BUFFER)
            curl.setopt(pycurl.READFUNCTION, lambda wanted: self._calling(read, wanted))
        try:
            curl.perform()
        except pycurl.error as error:
            if self._failure is not None:
                raise self._failure from error
            raise network_failure(self._base, int(error.args[0]), " ".join(map(str, error.args[1:]))) from error
        status = int(curl.getinfo(pycurl.RESPONSE_CODE))
        if status >= 300:
            raise self._refusal(status, bytes(answer))
        return bytes(answer)

    def _prepare(self, method: str, path: str, headers: list[str]) -> None:
        curl = self._curl
        self._failure = None
        curl.reset()
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.USERAGENT, USER_AGENT)
        curl.setopt(pycurl.CONNECTTIMEOUT, CONNECT_SECONDS)
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        curl.setopt(pycurl.LOW_SPEED_TIME, self._stall_seconds)
        curl.setopt(pycurl.URL, f"{self._root}{self._path}{path}")
        curl.setopt(pycurl.CUSTOMREQUEST, method)
        curl.setopt(pycurl.HTTPHEADER, [f"MC-Api-Key: {self._key}", *headers])
        trust(curl, self._ca_file)

    def _calling(self, function: Callable[[Any], Any], argument: Any) -> Any:
        # What a callback raises would be printed and lost; it is kept, and the transfer ended.
        try:
            return function(argument)
        except BaseException as error:  # noqa: BLE001 -- raised again by _ask
            self._failure = error
            return pycurl.READFUNC_ABORT if isinstance(argument, int) else -1

    def _one(self, answer: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(msgspec.json.decode(answer, type=_One).data, type=kind)
        except msgspec.MsgspecError as error:
            raise self._no_isobay() from error

    def _refusal(self, status: int, answer: bytes) -> IsobayError:
        try:
            told = msgspec.json.decode(answer)["errors"][0]
            code, message, context = int(told["code"]), str(told["message"]), dict(told["context"])
        except (msgspec.DecodeError, LookupError, TypeError, ValueError):
            return self._no_isobay(status)
        kind = _CLASSES.get(code, IsobayError)
        error = kind.__new__(kind)
        IsobayError.__init__(error, message)
        error.context = {**context, "retry": code in _WORTH_RETRYING}
        return error

    def _no_isobay(self, status: int = 200) -> FetchError:
        return FetchError(
            f"{self._base.shown} does not answer as isobay does (HTTP {status}). Check the URL.",
            reason="http",
            retry=status in _OF_PROXIES,
        )
