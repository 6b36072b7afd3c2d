"""An endpoint: a plain function from a call to a reply, run in a thread, documented where it stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from litestar.types import ASGIApp as LitestarASGIApp
from msgspec import Struct

from isobay.access import Right, Visit
from isobay.catalog import NotRememberedError, without_waiting
from isobay.errors import InvalidFieldsError, IsobayError, StalledError, UnknownOperationError
from isobay.http.fields import read_query
from isobay.http.paths import ROOT
from isobay.http.responses import EventStream, Look, Whole, encoded
from isobay.http.sending import Sending, Sent
from isobay.http.taking import Taken, take
from isobay.http.threads import Threads
from isobay.model import Identity

if TYPE_CHECKING:  # the services name the endpoints' room, which would go round
    from isobay.http.services import Services

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
_encode = msgspec.json.Encoder().encode
JSON = "application/json"
ID_LENGTH = 36
ADDRESS_LENGTH = 64  # of an IPv6 address with its zone; a proxy could say anything
REFUSALS = frozenset({400, 403, 409})  # what is refused to somebody who is known, of what may be known


class Call(Struct, frozen=True):
    """A request, read: what a function needs to answer it."""

    services: Services
    secret: str | None
    address: str
    path: dict[str, Any]
    query: bytes
    body: bytes
    scheme: str
    is_head: bool
    raw_headers: Iterable[tuple[bytes, bytes]]

    def headers(self) -> dict[str, str]:
        """The request's headers by name in lower case; those given several times joined by commas (RFC 9110, 5.3)."""
        found: dict[str, str] = {}
        for name, value in self.raw_headers:
            key, text = name.decode("latin-1"), value.decode("latin-1").strip(" \t")
            found[key] = f"{found[key]}, {text}" if key in found else text
        return found

    def visit(self, right: Right = "read") -> Visit:
        """Let the caller into the environment that the path names. See ``Door.enter``."""
        path = self.path
        return self.services.door.enter(
            self.secret, path["service_code"], path["environment_name"], right, self.address
        )

    def identity(self, right: Right = "read") -> Identity:
        """Who the caller is. See ``Door.identify``."""
        return self.services.door.identify(self.secret, right, self.address)

    def refused(self, operation: str, error: IsobayError) -> None:
        """Write into the log that a change was refused: to whom, where and why; nothing of what was sent."""
        if "environment_name" in self.path:
            here = self.visit()
            identity, environment_id = here.identity, here.place.environment_id
        else:
            identity, environment_id = self.identity(), self.path.get("environment_id", "")
            if not identity.may_enter(environment_id):  # nobody writes into the log of another's environment
                environment_id = ""
        object_id = next((value for name, value in self.path.items() if name.endswith("_id")), "")
        self.services.door.record(
            identity,
            operation,
            environment_id=environment_id[:ID_LENGTH],
            object_id=object_id[:ID_LENGTH],
            result=str(error.code),
        )


class Reply(Struct, frozen=True):
    """An answer: a value for JSON, bytes in pieces, what lies somewhere, or events, each from a ``look``.

    ``taken`` is what the body goes into before there is an answer.
    """

    body: Any = None
    status: int = 200
    stream: Generator[bytes] | None = None
    look: Look | None = None
    sent: Sent | None = None
    taken: Taken | None = None
    media_type: str = JSON
    headers: dict[str, str] = {}


class Described(Struct, frozen=True):
    """What is said of an endpoint. ``returns`` is the type inside ``data``, ``is_task`` that a task is beside it.

    ``recalled``: often asked, and often remembered. It is answered without the way to a thread if it is.
    ``slow``: it waits for others' servers, and has threads of its own to do so.
    ``hosted``: it asks a host that runs guests, and has threads of its own to do so.
    ``redirects``: the answer may be that another server has it.
    ``takes``: the type of a body that is not read, for the reply takes it.
    ``activity``: what the change is called in the activity log, where it is written even if it is refused.
    """

    operation_id: str
    summary: str
    tag: str
    returns: Any = None
    many: bool = False
    body: type[Struct] | None = None
    body_optional: bool = False
    parameters: tuple[dict[str, Any], ...] = ()
    status: int = 200
    errors: tuple[int, ...] = ()
    media_type: str = JSON
    wrapped: bool = True
    is_task: bool = False
    recalled: bool = False
    slow: bool = False
    hosted: bool = False
    redirects: bool = False
    takes: str = ""
    activity: str = ""


Function = Callable[[Call], Reply]


class Endpoint(Struct, frozen=True):
    """A function with its place in the API. ``operation`` is the query's, which tells several of one path apart."""

    method: Method
    path: str
    operation: str
    function: Function
    described: Described


class Endpoints:
    """A room's endpoints, gathered by its decorator."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self.all: list[Endpoint] = []

    def add(
        self, method: Method, path: str, summary: str, operation: str = "", **described: Any
    ) -> Callable[[Function], Function]:
        """Make a function the endpoint of a method and a path below the root, or of one operation there."""

        def decorate(function: Function) -> Function:
            what = Described(operation_id=function.__name__, summary=summary, tag=self._tag, **described)
            self.all.append(Endpoint(method, path, operation, function, what))
            return function

        return decorate


def handler(endpoints: Sequence[Endpoint]) -> HTTPRouteHandler:
    """The Litestar handler of one method and path: it reads a request and runs the function in a thread."""
    first = endpoints[0]
    choose = _chooser(endpoints)
    has_body = first.method != "GET" and not first.described.takes

    async def handle(request: Request[Any, Any, Any]) -> LitestarASGIApp:
        services: Services = request.app.state.services
        call = Call(
            services=services,
            secret=presented_key(request.scope["headers"]),
            address=_address(request.scope),
            path=request.scope["path_params"],
            query=request.scope["query_string"],
            body=await _body(request, services.settings.request_seconds) if has_body else b"",
            scheme=request.scope["scheme"],
            is_head="is_head" in request.scope,
            raw_headers=request.scope["headers"],
        )
        function, described = choose(call.query)
        answered = _recall(function, described, call) if described.recalled else None
        if answered is None:
            answered = await _threads(services, described).run(_run, function, described, call)
        reply, content = answered
        if reply.taken is not None:
            stall_seconds = services.settings.upload_stall_seconds
            reply = await take(reply.taken, request.receive, stall_seconds, services.writers, services.uploads)
            content = _content(reply)
        return await _response(reply, content, services, request)

    async def directly(scope: Any, receive: Any, send: Any) -> None:
        await (await handle(Request(scope, receive, send)))(scope, receive, send)

    return HTTPRouteHandler(
        path=ROOT + first.path,
        http_method=first.method,
        name=f"{first.method} {first.path}",
        status_code=200,  # the reply's own status is sent; Litestar only checks this one
        # What Litestar does between its routing and a handler is a tenth of the work, and of no use here.
        middleware=[lambda app: directly],  # noqa: ARG005 -- Litestar gives it by this name
    )(handle)


def _threads(services: Services, described: Described) -> Threads:
    if described.hosted:
        return services.host_threads
    return services.slow_threads if described.slow else services.threads


async def _response(
    reply: Reply, content: bytes, services: Services, request: Request[Any, Any, Any]
) -> LitestarASGIApp:
    if reply.look is not None:
        return EventStream(reply.look, services.threads, services.streams)
    if reply.sent is not None:
        headers = encoded(reply.headers, reply.media_type)
        return Sending(reply.sent, reply.status, headers, services.readers, services.downloads)
    if reply.stream is not None:
        # Drawn before anything is sent: what fails by then is answered as a failure.
        first = await services.threads.run(next, reply.stream, None)
        pieces = _pieces(first, reply.stream, services.threads)
        stream = Stream(pieces, status_code=reply.status, media_type=reply.media_type, headers=reply.headers)
        return stream.to_asgi_response(request.app, request)
    return Whole(content, reply.status, reply.media_type, reply.headers)


def _chooser(endpoints: Sequence[Endpoint]) -> Callable[[bytes], tuple[Function, Described]]:
    """What finds the function that a query means."""
    known = {each.operation: (each.function, each.described) for each in endpoints}
    unknown = (_refusal([name for name in known if name], "" in known), endpoints[0].described)
    if known.keys() == {""}:
        only = known[""]
        return lambda _query: only

    def choose(query: bytes) -> tuple[Function, Described]:
        given = [value for name, value in read_query(query) if name == "operation"]
        if len(given) > 1:
            raise InvalidFieldsError({"operation": "is given twice"})
        return known.get(given[0] if given else "", unknown)

    return choose


def _refusal(operations: list[str], has_plain: bool) -> Function:
    there = ", ".join(f"operation={name}" for name in operations)
    plain = ", or none" if has_plain else ""

    def refuse(call: Call) -> Reply:
        call.identity()
        raise UnknownOperationError(
            f"The query names no operation that there is here. There is {there}{plain}.", operations=operations
        )

    return refuse


def options(path: str, methods: Iterable[str], headers: dict[str, str]) -> HTTPRouteHandler:
    """The handler of OPTIONS for a path: Litestar's own names the methods of one handler, not of the path."""

    async def answer() -> LitestarASGIApp:
        return Whole(b"", 204, JSON, {"Allow": ", ".join(sorted(methods)), **headers})

    return HTTPRouteHandler(path=ROOT + path, http_method="OPTIONS", name=f"OPTIONS {path}", status_code=200)(answer)


def presented_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key that a request brings, whether it is one or not."""
    for name, value in headers:
        if name == b"mc-api-key":
            return value.strip().decode("latin-1")
    return None


async def _body(request: Request[Any, Any, Any], seconds: int) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await request.body()
    except TimeoutError as error:
        raise StalledError(
            f"The body did not come within {seconds} seconds. Send it faster, or ask the operator to raise "
            "ISOBAY_REQUEST_SECONDS.",
            seconds=seconds,
        ) from error


def _address(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    return str(client[0])[:ADDRESS_LENGTH] if client else ""


def _recall(function: Function, described: Described, call: Call) -> tuple[Reply, bytes] | None:
    try:
        with without_waiting():
            return _run(function, described, call)
    except NotRememberedError:
        return None


def _run(function: Function, described: Described, call: Call) -> tuple[Reply, bytes]:
    try:
        reply = function(call)
    except IsobayError as error:
        if described.activity and error.status in REFUSALS:
            call.refused(described.activity, error)
        raise
    return reply, _content(reply)


def _content(reply: Reply) -> bytes:
    if reply.body is None:
        return b""
    return reply.body if isinstance(reply.body, bytes) else _encode(reply.body)


async def _pieces(piece: bytes | None, stream: Generator[bytes], threads: Threads) -> AsyncIterator[bytes]:
    """Draw each piece after the first in a thread; close the stream where the caller goes away."""
    try:
        while piece is not None:
            yield piece
            piece = await threads.run(next, stream, None)
    finally:
        await threads.run(stream.close)
