"""One spelling for every path: three roots, one of handlers; collections without regard to case."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

# An application of the ASGI specification 3: (scope, receive, send).
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]

ROOT = "/v1"
_OTHER_ROOTS = ("/api/v1/", "/api/v2/")
DOWNLOADS = "downloads"
CONSOLES = "consoles"
_TOKEN = re.compile(rf"(/(?:{DOWNLOADS}|{CONSOLES})/+)[^/]+", re.IGNORECASE)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@lru_cache(1024)
def normal(path: str) -> str:
    """The path as the handlers have it: below ``/v1``, collections and UUIDs in lower case."""
    for root in _OTHER_ROOTS:
        if path.startswith(root):
            path = f"{ROOT}/{path[len(root) :]}"
            break
    if not path.startswith(f"{ROOT}/"):
        return path
    parts = [part.lower() if _UUID.fullmatch(part) else part for part in path.split("/")]
    # ['', 'v1', collection, …] and ['', 'v1', 'services', code, environment, collection, id, part, …]
    for position in (2, 5, 7, 8):
        if position < len(parts) and (position == 2 or parts[2] == "services"):
            parts[position] = parts[position].lower()
    if parts[2] == "tasks" and len(parts) > 4:
        parts[4] = parts[4].lower()
    if parts[2] == "services" and len(parts) > 3 and parts[3].lower() == "connections":
        parts[3] = "connections"
    return "/".join(parts)


def console_url(beginning: str, token: str) -> str:
    """Where a WebSocket opens the console that a ticket is for; ``beginning`` is what a page's URL begins with."""
    return f"{beginning.replace('http', 'ws', 1)}{ROOT}/{CONSOLES}/{token}"


def loggable(path: str) -> str:
    """The path without the token of a link or a console in it, and without what a terminal obeys."""
    hidden = _TOKEN.sub(r"\1…", path)
    return "".join(character if character.isprintable() else "\ufffd" for character in hidden)


class NormalPaths:
    """Wraps the application: rewrites the path, and answers HEAD as GET without the body."""

    def __init__(self, app: ASGIApp, no_such_path: ASGIApp) -> None:
        self._app = app
        self._no_such_path = no_such_path

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on in its one spelling."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = normal(scope["path"])
        if "\0" in path or (("//" in path or path.endswith("/")) and path.startswith(f"{ROOT}/")):
            # No name holds a NUL. Litestar would drop the slashes: an empty id would be the list.
            await self._no_such_path(scope, receive, send)
            return
        if path != scope["path"]:
            scope["path"] = path
            scope["raw_path"] = path.encode("utf-8", "surrogateescape")
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = scope
        scope = {**asked, "method": "GET", "is_head": True}  # the server's own still says HEAD: it then sends no body

        async def without_body(message: dict[str, Any]) -> None:
            # Whole at once: the server then says that the caller left, which ends a stream, however long it were.
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        await self._app(scope, receive, without_body)
        asked["route_handler"] = scope.get("route_handler")
