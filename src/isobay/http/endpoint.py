"""An endpoint: a plain function from a call to a reply, run in a thread, documented where it stands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from litestar.types import ASGIApp as LitestarASGIApp
from msgspec import Struct

from isobay.access import Right, Visit
from isobay.catalog import NotRememberedError, without_waiting
from isobay.http.paths import ROOT
from isobay.http.threads import Threads
from isobay.model import Identity

if TYPE_CHECKING:  # the services name the endpoints' room, which would go round
    from isobay.http.services import Services

Method = Literal["GET", "POST", "PUT", "DELETE"]
_encode = msgspec.json.Encoder().encode
JSON = "application/json"


class Call(Struct, frozen=True):
    """A request, read: what a function needs to answer it."""

    services: Services
    secret: str | None
    path: dict[str, Any]
    query: bytes
    body: bytes

    def visit(self, right: Right = "read") -> Visit:
        """Let the caller into the environment that the path names. See ``Door.enter``."""
        return self.services.door.enter(self.secret, self.path["service_code"], self.path["environment_name"], right)

    def identity(self, right: Right = "read") -> Identity:
        """Who the caller is. See ``Door.identify``."""
        return self.services.door.identify(self.secret, right)


class Reply(Struct, frozen=True):
    """An answer: a value for JSON, or bytes in pieces."""

    body: Any = None
    status: int = 200
    stream: Generator[bytes] | None = None
    media_type: str = JSON
    headers: dict[str, str] = {}


class Described(Struct, frozen=True):
    """What is said of an endpoint. ``returns`` is the type inside ``data``.

    ``recalled``: often asked, and often remembered. It is answered without the way to a thread if it is.
    """

    operation_id: str
    summary: str
    tag: str
    returns: Any = None
    many: bool = False
    body: type[Struct] | None = None
    parameters: tuple[dict[str, Any], ...] = ()
    status: int = 200
    errors: tuple[int, ...] = ()
    media_type: str = JSON
    wrapped: bool = True
    recalled: bool = False


Function = Callable[[Call], Reply]


class Endpoint(Struct, frozen=True):
    """A function with its place in the API."""

    method: Method
    path: str
    function: Function
    described: Described


class Endpoints:
    """A room's endpoints, gathered by its decorator."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self.all: list[Endpoint] = []

    def add(self, method: Method, path: str, summary: str, **described: Any) -> Callable[[Function], Function]:
        """Make a function the endpoint of a method and a path below the root."""

        def decorate(function: Function) -> Function:
            what = Described(operation_id=function.__name__, summary=summary, tag=self._tag, **described)
            self.all.append(Endpoint(method, path, function, what))
            return function

        return decorate


def handler(endpoint: Endpoint) -> HTTPRouteHandler:
    """The Litestar handler that reads a request, runs the function in a thread, and writes its reply."""
    function = endpoint.function
    has_body = endpoint.method != "GET"
    recalled = endpoint.described.recalled

    async def handle(request: Request[Any, Any, Any]) -> LitestarASGIApp:
        services: Services = request.app.state.services
        call = Call(
            services=services,
            secret=_secret(request.scope["headers"]),
            path=request.scope["path_params"],
            query=request.scope["query_string"],
            body=await request.body() if has_body else b"",
        )
        answered = _recall(function, call) if recalled else None
        if answered is None:
            answered = await services.threads.run(_run, function, call)
        reply, content = answered
        if reply.stream is not None:
            pieces = _pieces(reply.stream, services.threads)
            stream = Stream(pieces, status_code=reply.status, media_type=reply.media_type, headers=reply.headers)
            return stream.to_asgi_response(request.app, request)
        return Whole(content, reply.status, reply.media_type, reply.headers)

    return HTTPRouteHandler(
        path=ROOT + endpoint.path,
        http_method=endpoint.method,
        name=f"{endpoint.method} {endpoint.path}",
        status_code=200,  # the reply's own status is sent; Litestar only checks this one
    )(handle)


def options(path: str, methods: list[str]) -> HTTPRouteHandler:
    """The handler of OPTIONS for a path: Litestar's own names the methods of one handler, not of the path."""

    async def answer() -> LitestarASGIApp:
        return Whole(b"", 204, JSON, {"Allow": ", ".join(sorted(methods))})

    return HTTPRouteHandler(path=ROOT + path, http_method="OPTIONS", name=f"OPTIONS {path}", status_code=200)(answer)


class Whole:
    """A response whose body is there: Litestar's own costs four times as much, most of it for cookies and such."""

    def __init__(self, body: bytes, status: int, media_type: str, headers: dict[str, str]) -> None:
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        if status != 204:
            encoded += [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))]
        self._body = body
        self._start = {"type": "http.response.start", "status": status, "headers": encoded}

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        """Send it."""
        await send(self._start)
        await send({"type": "http.response.body", "body": self._body})


def _secret(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"mc-api-key":
            return value.strip().decode("latin-1")
    return None


def _recall(function: Function, call: Call) -> tuple[Reply, bytes] | None:
    try:
        with without_waiting():
            return _run(function, call)
    except NotRememberedError:
        return None


def _run(function: Function, call: Call) -> tuple[Reply, bytes]:
    reply = function(call)
    if reply.stream is not None or reply.body is None:
        return reply, b""
    return reply, reply.body if isinstance(reply.body, bytes) else _encode(reply.body)


async def _pieces(stream: Generator[bytes], threads: Threads) -> AsyncIterator[bytes]:
    """Draw each piece in a thread; close the stream where the caller goes away."""
    try:
        while (piece := await threads.run(next, stream, None)) is not None:
            yield piece
    finally:
        await threads.run(stream.close)
