"""``isobay environments``: the shelves that sets of keys share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from isobay.cli import terminal
from isobay.cli.asking import ask
from isobay.cli.choosing import the_only
from isobay.cli.completing import environment_names
from isobay.cli.fields import checked
from isobay.cli.opening import opened
from isobay.cli.options import DataDir, Json, Yes
from isobay.errors import NotFoundError
from isobay.model import Environment
from isobay.model.requests import EnvironmentEdit, NewEnvironment

app = typer.Typer(help="List, make, change and delete environments.", no_args_is_help=True)
MaxBytes = Annotated[
    int | None, typer.Option(help="The bytes it may hold; 0 is what the settings say.", show_default=False)
]
MaxIsos = Annotated[
    int | None, typer.Option(help="The ISOs it may hold; 0 is what the settings say.", show_default=False)
]
Name = Annotated[
    str,
    typer.Argument(
        help="The environment's name or id.", metavar="NAME", autocompletion=environment_names, show_default=False
    ),
]
_HEADINGS = ("ID", "Name", "Service", "Membership", "ISOs", "Bytes", "Description")


@app.command("list")
def list_environments(as_json: Json = False, data_dir: DataDir = None) -> None:
    """List the environments."""
    from isobay.access import OPERATOR

    with opened(data_dir) as built:
        _tell(built.environments.all(OPERATOR), as_json=as_json)


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(help="Lower case letters, digits, - and _.", metavar="NAME", show_default=False)
    ],
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    service: Annotated[str, typer.Option(help="The service code; without it the oldest service.")] = "",
    membership: Annotated[
        Literal["ALL_ORG_USERS", "MANY_USERS"], typer.Option(help="Who belongs to it, as CloudMC says it.")
    ] = "MANY_USERS",
    max_bytes: MaxBytes = None,
    max_isos: MaxIsos = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make an environment."""
    from isobay.access import OPERATOR

    values = {
        "name": name,
        "description": description,
        "membership": membership,
        "max_bytes": max_bytes,
        "max_isos": max_isos,
    }
    new = checked(NewEnvironment, values)
    with opened(data_dir, make=True) as built:
        if service:
            codes = {each.service_code: each.id for each in built.connections.all()}
            if service not in codes:
                raise NotFoundError(f"There is no service {service!r}; there are {', '.join(sorted(codes))}.")
            new = checked(NewEnvironment, {**values, "service_connection": {"id": codes[service]}})
        _tell_one(built.environments.create(OPERATOR, new), as_json=as_json)


@app.command()
def edit(
    environment: Name,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    description: Annotated[str | None, typer.Option(help="A new description.")] = None,
    max_bytes: MaxBytes = None,
    max_isos: MaxIsos = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Change an environment's name, its description, or how much it may hold."""
    from isobay.access import OPERATOR

    given = {"name": name, "description": description, "max_bytes": max_bytes, "max_isos": max_isos}
    if set(given.values()) == {None}:
        raise typer.BadParameter("name something to change: --name, --description, --max-bytes or --max-isos")
    change = checked(EnvironmentEdit, given)
    with opened(data_dir) as built:
        before = the_only("environments", built.environments.all(OPERATOR), environment)
        _tell_one(built.environments.edit(OPERATOR, before.id, change), as_json=as_json)


@app.command()
def delete(environment: Name, yes: Yes = False, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Delete an environment. It is refused while the environment holds an ISO."""
    from isobay.access import OPERATOR

    with opened(data_dir) as built:
        found = the_only("environments", built.environments.all(OPERATOR), environment)
        if not yes:
            ask("Delete the environment {}?", [found.name])
        built.environments.delete(OPERATOR, found.id)
        terminal.deleted(found.id, found.name, as_json=as_json)


def _used(used: int, most: int) -> str:
    return f"{used} of {most}" if most else f"{used}"


def _tell_one(environment: Environment, *, as_json: bool) -> None:
    if as_json:
        terminal.json(environment)
    else:
        _tell([environment], as_json=False)


def _tell(environments: Sequence[Environment], *, as_json: bool) -> None:
    if as_json:
        terminal.json(environments)
        return
    rows = (
        (
            terminal.id_text(each.id),
            each.name,
            each.service_connection.name,
            each.membership,
            _used(each.used_isos, each.max_isos),
            _used(each.used_bytes, each.max_bytes),
            each.description,
        )
        for each in environments
    )
    terminal.table(_HEADINGS, rows)
