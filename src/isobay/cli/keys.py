"""``isobay keys``: who may come in over the API."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from isobay.cli import terminal
from isobay.cli.asking import ask
from isobay.cli.choosing import the_only
from isobay.cli.completing import environment_names
from isobay.cli.fields import checked, moment
from isobay.cli.opening import opened
from isobay.cli.options import DataDir, Json, Yes
from isobay.model.requests import KeyRequest

app = typer.Typer(help="List, make and delete API keys.", no_args_is_help=True)


@app.command("list")
def list_keys(as_json: Json = False, data_dir: DataDir = None) -> None:
    """List the keys, without their secrets: only hashes of those are kept."""
    from isobay.access import OPERATOR

    with opened(data_dir) as built:
        keys = built.keys.all(OPERATOR)
        if as_json:
            terminal.json(keys)
            return
        names = {each.id: each.name for each in built.environments.all(OPERATOR)}
        rows = (
            (
                terminal.id_text(key.id),
                key.name,
                key.role,
                ",".join(names.get(each, each) for each in key.environments),
                key.created,
                key.expires,
            )
            for key in keys
        )
        terminal.table(("ID", "Name", "Role", "Environments", "Created", "Expires"), rows)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.", metavar="NAME", show_default=False)],
    role: Annotated[
        Literal["viewer", "editor", "owner", "administrator"], typer.Option(help="What it may do.")
    ] = "editor",
    environment: Annotated[
        list[str] | None,
        typer.Option(
            "--environment",
            "-e",
            help="An environment it may enter; repeat it. Administrators enter all.",
            autocompletion=environment_names,
        ),
    ] = None,
    expires: Annotated[
        str, typer.Option(help="The day or moment, in UTC, when it opens nothing any more.", show_default="never")
    ] = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make a key. It is printed this once, alone on standard output."""
    from isobay.access import OPERATOR

    with opened(data_dir, make=True) as built:
        known = built.environments.all(OPERATOR)
        entered = [the_only("environments", known, each).id for each in environment or ()]
        end = moment("expires", expires) if expires else None
        values = {"name": name, "role": role, "environments": entered, "expires": end}
        request = checked(KeyRequest, values)
        key = built.keys.create(OPERATOR, request)
        if as_json:
            terminal.json(key)
            return
        terminal.say(f"The key of {key.name}, role {key.role}, id {key.id}, shown this once:")
        terminal.line(key.api_key)


@app.command()
def delete(
    key_id: Annotated[
        str, typer.Argument(help="The key's id, the beginning of it, or its name.", metavar="ID", show_default=False)
    ],
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Take a key back: who holds it is out at once. The last administrator's key stays."""
    from isobay.access import OPERATOR

    with opened(data_dir) as built:
        key = the_only("keys", built.keys.all(OPERATOR), key_id)
        if not yes:
            ask("Take the key {} back?", [key.name])
        built.keys.delete(OPERATOR, key.id)
        terminal.deleted(key.id, key.name, as_json=as_json)
