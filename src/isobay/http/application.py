"""The web application: every endpoint, behind one spelling of paths and one envelope of errors."""

from __future__ import annotations

from functools import cache, partial

import msgspec
from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from isobay import __version__
from isobay.errors import IsobayError
from isobay.http import (
    administration,
    consoles,
    downloads,
    environments,
    failures,
    health,
    instance_operations,
    instance_screens,
    instances,
    isos,
    pictures,
    tasks,
    tus,
    uploads,
)
from isobay.http.consoles import Consoles
from isobay.http.endpoint import JSON, Endpoint, handler, options
from isobay.http.limits import Limited
from isobay.http.measured import Measured
from isobay.http.openapi import document
from isobay.http.paths import ASGIApp, NormalPaths
from isobay.http.services import Services
from isobay.http.zero_copy import ZeroCopy
from isobay.pages.api import api_page

ENDPOINTS = [
    *isos.endpoints.all,
    *pictures.endpoints.all,
    *downloads.endpoints.all,
    *uploads.endpoints.all,
    *instances.endpoints.all,
    *instance_operations.endpoints.all,
    *instance_screens.endpoints.all,
    *consoles.endpoints.all,
    *environments.endpoints.all,
    *administration.endpoints.all,
    *tasks.endpoints.all,
]


def application(services: Services) -> ASGIApp:
    """Build the application over its services."""
    described = document(ENDPOINTS, __version__)
    described_json = msgspec.json.encode(described)
    described_page = cache(partial(api_page, described))

    @get("/openapi.json", sync_to_thread=False)
    def openapi() -> Response[bytes]:
        return Response(described_json, media_type=JSON)

    @get(["/", "/docs"], sync_to_thread=False)
    def page() -> Response[bytes]:
        return Response(described_page(), media_type="text/html")

    can_upload = tus.abilities(services.settings.max_iso_bytes)
    allowed: dict[str, set[str]] = {}
    together: dict[tuple[str, str], list[Endpoint]] = {}
    for each in ENDPOINTS:
        allowed.setdefault(each.path, {"OPTIONS"}).update(["GET", "HEAD"] if each.method == "GET" else [each.method])
        together.setdefault((each.method, each.path), []).append(each)
    app = Litestar(
        [
            # First: Litestar makes an OPTIONS of its own for a path that has none, from its first method alone.
            *(options(path, methods, can_upload if path in uploads.PATHS else {}) for path, methods in allowed.items()),
            *map(handler, together.values()),
            health.healthz,
            health.readyz,
            health.metrics,
            openapi,
            page,
        ],
        openapi_config=None,
        state=State({"services": services}),
        request_max_body_size=services.settings.max_body_bytes,
        exception_handlers={
            IsobayError: failures.on_isobay_error,
            HTTPException: failures.on_http_exception,
            Exception: failures.on_anything,
        },
    )
    per_address = services.settings.requests_per_minute_address
    per_key = services.settings.requests_per_minute_key
    inner: ASGIApp = Consoles(NormalPaths(app, failures.no_such_path), services)
    if per_address or per_key:
        inner = Limited(inner, per_address, per_key)
    return ZeroCopy(Measured(inner, services.metrics), services.readers)
