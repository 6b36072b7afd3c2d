"""What machines ask: whether it lives, whether it is ready, what it counted, and what it speaks."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from isobay.errors import UnavailableError
from isobay.http.endpoint import JSON
from isobay.http.failures import answer
from isobay.http.services import Services


@get("/healthz", sync_to_thread=False)
def healthz() -> Response[bytes]:
    """The process answers."""
    return Response(b'{"status":"ok"}', media_type=JSON)


@get("/readyz")
async def readyz(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The process can do its work: the catalogue answers."""
    services: Services = request.app.state.services
    if await services.threads.run(services.is_ready):
        return Response(b'{"status":"ready"}', media_type=JSON)
    return answer(UnavailableError("The catalogue does not answer. See the log of isobay."))


@get("/metrics")
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Prometheus' text format."""
    services: Services = request.app.state.services
    text = await services.threads.run(services.metrics.text)
    return Response(text, media_type="text/plain; version=0.0.4")
