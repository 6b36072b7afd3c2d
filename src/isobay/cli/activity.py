"""``isobay activity``: what was changed or refused, by whom."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from isobay.cli import terminal
from isobay.cli.choosing import the_only
from isobay.cli.completing import environment_names
from isobay.cli.fields import filters, moment
from isobay.cli.opening import opened
from isobay.cli.options import DataDir, Json
from isobay.model import Activity, Listing

_HEADINGS = ("When", "Operation", "Result", "By", "Environment", "Object id", "Object", "From")


def activity(
    environment: Annotated[
        str,
        typer.Option(
            "--environment",
            "-e",
            help="Only of this environment, by its name or id.",
            autocompletion=environment_names,
            show_default=False,
        ),
    ] = "",
    operation: Annotated[str, typer.Option(help="Only this, such as iso.delete.", show_default=False)] = "",
    field: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="FIELD=VALUE", help="Only those whose field is this; may be repeated."),
    ] = None,
    since: Annotated[str, typer.Option(help="From this day or moment on, in UTC.", show_default=False)] = "",
    until: Annotated[str, typer.Option(help="Before this day or moment, in UTC.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List what was changed or refused in all environments, the newest first."""
    from isobay.access import OPERATOR
    from isobay.catalog import LOG_FIELDS

    wanted: dict[str, Any] = filters(Activity, LOG_FIELDS, field or ())
    if operation:
        wanted["operation"] = operation
    for name, text in (("since", since), ("until", until)):
        if text:
            wanted[name] = moment(name, text)
    with opened(data_dir) as built:
        environments = built.environments.all(OPERATOR)
        if environment:
            wanted["environment_id"] = the_only("environments", environments, environment).id
        listing = Listing(order="DESC", filters=tuple(sorted(wanted.items())), limit=limit)
        found = built.records.activity(OPERATOR, listing)
    if as_json:
        terminal.json_list(found.items)
    else:
        names = {each.id: each.name for each in environments}
        terminal.table(_HEADINGS, (_row(entry, names) for entry in found.items))
    if found.total > len(found.items):
        terminal.say(f"These are the newest {len(found.items)} of {found.total}.")


def _row(entry: Activity, names: dict[str, str]) -> tuple[object, ...]:
    return (
        entry.created,
        entry.operation,
        entry.result,
        entry.key_name,
        names.get(entry.environment_id, entry.environment_id),
        terminal.id_text(entry.object_id),
        entry.object_name,
        entry.address,
    )
