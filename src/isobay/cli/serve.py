"""``isobay serve``: the service."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobay.cli.worker_beside import WorkerBeside
from isobay.errors import SettingsError
from isobay.settings import PREFIX, Settings

if TYPE_CHECKING:  # what is heavy is loaded when the command runs
    from isobay.app import Isobay

BACKLOG = 2048
SHUTDOWN_SECONDS = 10


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.", show_default="8080")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept; made if missing.")] = None,
    workers: Annotated[int | None, typer.Option(help="How many processes answer requests.", show_default="1")] = None,
) -> None:
    """Serve the API. Every option is also a variable, ISOBAY_HOST and so on; docs/settings.md lists them all."""
    settings = Settings.load(host=host, port=port, data_dir=data_dir, workers=workers)
    # The processes that answer read the same settings, from the environment they inherit.
    for name in ("host", "port", "workers", "data_dir"):
        os.environ[PREFIX + name.upper()] = str(getattr(settings, name))
    from isobay.app import build

    run(settings, build)


def run(settings: Settings, build: Callable[[Settings], Isobay]) -> None:
    """Serve what is built, in this process or, with several workers, in those that ``app.web`` builds."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from isobay.app import web_application
    from isobay.telemetry.logs import configure
    from isobay.telemetry.metrics import share_between_processes

    proxies = _proxies(settings.trusted_proxies)
    configure(settings.log_level, settings.log_format)
    # Before anything is made: a first start that cannot listen must not make a key that nobody is shown.
    listening = _listen(settings.host, settings.port)
    built = build(settings)
    built.sweep()
    several = settings.workers > 1
    if several:
        share_between_processes(settings.cache_dir / "metrics")
    config = uvicorn.Config(
        "isobay.app:web" if several else web_application(built),
        factory=several,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=bool(proxies),  # from anybody else X-Forwarded-For could say anything
        forwarded_allow_ips=proxies,
        lifespan="off",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        **_protocols(settings),
    )
    _greet(built.first_key, listening, settings.data_dir)
    if several:
        built.catalog.close()
    # uvicorn raises the signal that ended it again, and this process has a worker to end first.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    with WorkerBeside() if settings.tasks_at_once else nullcontext():
        if several:
            Multiprocess(config, sockets=[listening]).run()
        else:
            uvicorn.Server(config).run(sockets=[listening])


def _protocols(settings: Settings) -> dict[str, Any]:
    """What is spoken, and within which bounds."""
    from isobay.http.consoles import MESSAGE_BYTES, PING_SECONDS
    from isobay.http.protocol import BoundedProtocol, ConsoleProtocol

    head_bytes, head_seconds = settings.max_head_bytes, settings.request_seconds
    return {
        "http": partial(BoundedProtocol, max_head_bytes=head_bytes, head_seconds=head_seconds),
        "ws": ConsoleProtocol,
        "ws_max_size": MESSAGE_BYTES,
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PING_SECONDS,
        "ws_per_message_deflate": False,  # VNC compresses itself; and a small message must not become a large one
    }


def _proxies(networks: str) -> list[str]:
    try:
        return [str(ip_network(network.strip())) for network in networks.split(",") if network.strip()]
    except ValueError as error:
        raise SettingsError(
            f"ISOBAY_TRUSTED_PROXIES holds what is no network: {error}. Write it as 127.0.0.1,10.0.0.0/8."
        ) from error


def _listen(host: str, port: int) -> socket.socket:
    """Listen there. Whoever calls before the server is up waits in line until it is."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or "unknown"
        raise SettingsError(
            f"isobay cannot listen on {host}, port {port}: {reason}. Stop what uses it, or choose another with "
            "ISOBAY_HOST and ISOBAY_PORT."
        ) from error
    listening.set_inheritable(True)
    return listening


def _greet(first_key: str, listening: socket.socket, data_dir: Path) -> None:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    reached = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(shown, shown)  # noqa: S104 -- compared, not listened on
    typer.echo(f"isobay serves http://{reached}:{port}/ from {data_dir}")
    if first_key:
        typer.echo(f"\nThe administrator key, shown this once:\n\n    {first_key}\n\nTry it:\n")
        typer.echo(
            f'curl -H "MC-Api-Key: {first_key}" "http://{reached}:{port}/v1/services/compute-on/test_area/isos"\n'
        )
