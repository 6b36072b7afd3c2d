"""What an instance shows, on the command line: saved as a picture, or as the URL of its console."""

from __future__ import annotations

from isobay.cli import terminal
from isobay.cli.choosing import the_instance
from isobay.cli.completing import InstanceId
from isobay.cli.opening import visiting
from isobay.cli.options import DataDir, EnvironmentName, Json, ServiceCode
from isobay.cli.pictures import PictureFile, save_picture
from isobay.cli.recording import record


def screenshot(
    instance_id: InstanceId,
    output: PictureFile = None,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Save what an instance shows now, as PNG; into a pipe without --output."""
    with visiting(data_dir, environment, service) as (_, visit):
        instance = the_instance(visit, instance_id)
        screen = visit.engine.instances.screen(visit.place, instance.id)
    path = save_picture(screen.png, instance.id, output, as_json=as_json)
    if path and as_json:
        terminal.json({"path": terminal.path_text(path), "width": screen.width, "height": screen.height})
    elif path:
        terminal.say(f"{path}: {screen.width} × {screen.height} pixels")


def console(
    instance_id: InstanceId,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Print the URL of an instance's console, a WebSocket of the service that runs; it has to be opened at once."""
    from isobay.http.paths import console_url
    from isobay.transfer.sealing import load_secret
    from isobay.transfer.tickets import Tickets

    with visiting(data_dir, environment, service) as (built, visit):
        settings = built.settings
        instance = the_instance(visit, instance_id)
        visit.engine.instances.console(visit.place, instance.id)
        tickets = Tickets(load_secret(settings.secret_key, settings.data_dir))
        token, expires = tickets.issue(instance.id, visit.place.environment_id, visit.identity.key_id)
        record(built, visit, "instance.console", instance)
    url = console_url(settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}", token)
    if as_json:
        terminal.json({"url": url, "expires": expires})
    else:
        terminal.line(url)
        terminal.say(f"Open it with a program that speaks VNC through a WebSocket, before {expires}.")
