"""An endpoint: a plain function from a call to a reply, run in a thread, documented where it stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from msgspec import Struct

from isobay.http.paths import ROOT

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
    query: list[tuple[str, str]]
    body: bytes


class Reply(Struct, frozen=True):
    """An answer: a value for JSON, or bytes in pieces."""

    body: Any = None
    status: int = 200
    stream: Iterator[bytes] | None = None
    media_type: str = JSON
    headers: dict[str, str] = {}


class Described(Struct, frozen=True):
    """What the OpenAPI document says of an endpoint. ``returns`` is the type inside ``data``."""

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

    async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
        services: Services = request.app.state.services
        call = Call(
            services=services,
            secret=request.headers.get("mc-api-key"),
            path=request.path_params,
            query=list(request.query_params.multi_items()) if request.scope["query_string"] else [],
            body=await request.body() if has_body else b"",
        )
        loop = asyncio.get_running_loop()
        reply, content = await loop.run_in_executor(services.threads, _run, function, call)
        if reply.stream is not None:
            pieces = _pieces(reply.stream, services.threads)
            return Stream(pieces, status_code=reply.status, media_type=reply.media_type, headers=reply.headers)
        return Response(content, status_code=reply.status, media_type=reply.media_type, headers=reply.headers)

    return HTTPRouteHandler(
        path=ROOT + endpoint.path,
        http_method=endpoint.method,
        name=f"{endpoint.method} {endpoint.path}",
        status_code=200,  # the reply's own status is sent; Litestar only checks this one
    )(handle)


def _run(function: Function, call: Call) -> tuple[Reply, bytes]:
    reply = function(call)
    if reply.stream is not None or reply.body is None:
        return reply, b""
    return reply, reply.body if isinstance(reply.body, bytes) else _encode(reply.body)


async def _pieces(stream: Iterator[bytes], threads: ThreadPoolExecutor) -> AsyncIterator[bytes]:
    """Draw each piece in a thread; close the stream where the caller goes away."""
    loop = asyncio.get_running_loop()
    try:
        while (piece := await loop.run_in_executor(threads, next, stream, None)) is not None:
            yield piece
    finally:
        close = getattr(stream, "close", None)
        if close is not None:
            close()
