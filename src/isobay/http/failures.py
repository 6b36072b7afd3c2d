"""Every failure in the one envelope of errors."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from isobay.errors import (
    InvalidFieldsError,
    IsobayError,
    MethodNotAllowedError,
    NotFoundError,
    RangeError,
    StalledError,
    TooLargeError,
)
from isobay.http import tus
from isobay.http.endpoint import JSON
from isobay.http.responses import Whole
from isobay.telemetry import logs

_NAMELESS = re.compile(r"/services/[^/]+/[^/]+/uploads/+\Z", re.IGNORECASE)


def envelope(error: IsobayError) -> dict[str, Any]:
    """The API's shape of a failed answer."""
    return {"errors": [error.told()]}


def answer(error: IsobayError, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The response that says an error."""
    body = msgspec.json.encode(envelope(error))
    return Response(body, status_code=error.status, media_type=JSON, headers=headers or {})


def on_isobay_error(request: Request[Any, Any, Any], error: IsobayError) -> Response[bytes]:
    """An error of ours, said as it is."""
    if error.status >= 500 or error.public != error.message:
        logs.error("request failed", message=error.message)
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'ApiKey realm="isobay", header="MC-Api-Key"'
    if isinstance(error, StalledError):
        headers["Connection"] = "close"  # what else would come of the body is not waited for
    if isinstance(error, RangeError):
        headers["Content-Range"] = f"bytes */{error.context['size']}"
    if "tus-resumable" in request.headers:
        headers |= tus.refusal(error)
    return answer(error, headers)


async def no_such_path(scope: Any, receive: Any, send: Any) -> None:
    """The answer where no endpoint is."""
    error = _no_endpoint(scope["path"], scope["method"])
    await Whole(msgspec.json.encode(envelope(error)), error.status, JSON, {})(scope, receive, send)


def _no_endpoint(path: str, method: str = "") -> NotFoundError:
    if method == "PUT" and _NAMELESS.search(path):
        return NotFoundError(
            f"The name of the file is missing at the end of {path!r}. Write it there, as in …/uploads/image.iso: curl "
            "adds it when it sends a file, and not when it reads from a pipe.",
            path=path,
        )
    return NotFoundError(f"There is no endpoint {path!r}. /openapi.json lists those there are.", path=path)


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """The framework's own refusals."""
    path = request.scope["path"]
    if error.status_code == 404:
        return answer(_no_endpoint(path))
    if error.status_code == 405:
        methods = {name.lower(): value for name, value in (error.headers or {}).items()}.get("allow", "").split(", ")
        allowed = ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
        return answer(
            MethodNotAllowedError(
                f"{path!r} does not take {request.method}. It takes {allowed}.",
                path=path,
            ),
            {"Allow": allowed},
        )
    if error.status_code == 413:
        limit = request.app.state.services.settings.max_body_bytes
        return answer(
            TooLargeError(
                f"The request's body is larger than {limit} bytes. Send less, or raise ISOBAY_MAX_BODY_BYTES.",
                limit=limit,
            )
        )
    return answer(InvalidFieldsError({"request": error.detail}))


def on_anything(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A defect: logged whole, told without its insides."""
    logs.error("request failed unexpectedly", exc_info=error)
    return answer(
        IsobayError("isobay failed to answer; the log of isobay says why. Try again, and report it if it stays.")
    )
