"""``isobay isos``: the shelf, read and changed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from isobay.cli import terminal
from isobay.cli.asking import ask
from isobay.cli.choosing import the_iso, the_os_type, the_others
from isobay.cli.completing import IsoId, environment_names, iso_names
from isobay.cli.contents import InnerPath, Output
from isobay.cli.contents import show as show_contents
from isobay.cli.fields import checked, field_named, filters
from isobay.cli.following import follow_import, tell_started
from isobay.cli.iso_proofs import picture, proof_text, prove
from isobay.cli.opening import visiting
from isobay.cli.options import DataDir, EnvironmentName, Json, NoWait, ServiceCode, Yes
from isobay.cli.recording import record
from isobay.errors import NotFoundError
from isobay.http.fields import given_fields
from isobay.model import BootProof, Iso, IsoEdit, Listing, read_record

if TYPE_CHECKING:  # what is heavy is loaded when a command runs
    from isobay.access import Visit

app = typer.Typer(
    help="List, show, change, retry, boot and delete the ISOs on the shelf, and read the files inside them.",
    no_args_is_help=True,
)
SharedWith = Annotated[
    list[str] | None,
    typer.Option(
        help="Seen from this environment of the service too; repeat it. Replaces those of before.",
        metavar="NAME",
        autocompletion=environment_names,
        show_default=False,
    ),
]
Flag = bool | None
_HEADINGS = ("ID", "Name", "OS type", "Arch", "Boots", "Size", "Status", "Visibility")


@app.command("list")
def list_isos(
    bootable: Annotated[Flag, typer.Option("--bootable/--no-bootable", help="Only those that boot, or not.")] = None,
    search: Annotated[str, typer.Option(help="Part of the name or description, in any case.")] = "",
    field: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="FIELD=VALUE", help="Only those whose field is this; may be repeated."),
    ] = None,
    sort_by: Annotated[str, typer.Option(help="The field, as the API spells it; else as they were added.")] = "",
    order: Annotated[Literal["ASC", "DESC"], typer.Option(help="The direction.", case_sensitive=False)] = "ASC",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many; without it all.")] = None,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List the environment's own ISOs and the public ones."""
    from isobay.catalog import FILTER_FIELDS

    wanted: dict[str, Any] = filters(Iso, FILTER_FIELDS, field or ())
    if bootable is not None:
        wanted["bootable"] = bootable
    listing = Listing(
        sort_by=field_named(Iso, FILTER_FIELDS, sort_by) if sort_by else "",
        order=order,
        filters=tuple(sorted(wanted.items())),
        search=search,
        limit=limit or 0,
    )
    with visiting(data_dir, environment, service) as (_, visit):
        found = _found(visit, listing)
        if as_json:
            terminal.json_list(found)
        else:
            terminal.table(_HEADINGS, (_row(visit, iso) for iso in found))


def _found(visit: Visit, listing: Listing) -> Iterator[Iso]:
    if listing.limit:
        page = visit.engine.list_isos(visit.place, listing)
        if page.total > len(page.items):
            terminal.say(f"These are {len(page.items)} of {page.total}.")
        return map(read_record, page.items)
    return map(read_record, chain.from_iterable(visit.engine.stream_isos(visit.place, listing)))


def _row(visit: Visit, iso: Iso) -> tuple[object, ...]:
    is_read = terminal.is_terminal()
    size = terminal.bytes_text(iso.size) if is_read else iso.size
    status = f"importing {iso.progress:.0%}" if is_read and iso.status == "importing" else iso.status
    boots = ",".join(iso.boot_modes)
    return (
        terminal.id_text(iso.id),
        iso.name,
        iso.os_type_name,
        iso.architecture,
        boots,
        size,
        status,
        _visibility(visit, iso) if is_read else iso.visibility,
    )


def _visibility(visit: Visit, iso: Iso) -> str:
    """With the names of the environments that one of the environment's own is shared with, which lists do not have."""
    if iso.visibility != "shared":
        return iso.visibility
    try:
        names = visit.engine.get_iso(visit.place, iso.id).shared_with
    except NotFoundError:
        return iso.visibility  # it was deleted since the list was read
    return f"shared with {', '.join(names)}" if names else iso.visibility


@app.command()
def show(
    iso_id: IsoId,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show all that is known of an ISO."""
    with visiting(data_dir, environment, service) as (_, visit):
        terminal.known(the_iso(visit, iso_id), _listed, as_json=as_json)


def _listed(values: list[Any]) -> str:
    return ", ".join(proof_text(each) if isinstance(each, BootProof) else each for each in values)


@app.command()
def edit(
    iso_id: IsoId,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    description: Annotated[str | None, typer.Option(help="A new description.")] = None,
    os_type: Annotated[str | None, typer.Option(help="An OS type: its id, its name or its libosinfo id.")] = None,
    public: Annotated[
        Flag, typer.Option("--public/--private", help="Seen from every environment of the service, or from its own.")
    ] = None,
    shared_with: SharedWith = None,
    extractable: Annotated[
        Flag, typer.Option("--extractable/--no-extractable", help="May be downloaded, or not.")
    ] = None,
    featured: Annotated[Flag, typer.Option("--featured/--no-featured", help="Recommended to all, or not.")] = None,
    bootable: Annotated[
        Flag, typer.Option("--bootable/--no-bootable", help="Said to boot, or not, whatever the image says.")
    ] = None,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Change what is said of an ISO; what is not named stays as it is."""
    values: dict[str, Any] = {
        "name": name,
        "description": description,
        "available_publicly": public,
        "extractable": extractable,
        "featured": featured,
        "bootable": bootable,
    }
    if shared_with and public is not None:
        raise typer.BadParameter("goes without --public and --private", param_hint="--shared-with")
    if shared_with:
        values |= {"visibility": "shared", "shared_with": shared_with}
    if os_type is None and all(value is None for value in values.values()):
        raise typer.BadParameter("name something to change; --help lists what there is")
    with visiting(data_dir, environment, service) as (built, visit):
        if os_type is not None:
            values["os_type_id"] = the_os_type(visit, os_type).id
        change = checked(IsoEdit, values)
        found = the_iso(visit, iso_id)
        others = the_others(built, visit, shared_with or ())
        iso = visit.engine.edit_iso(visit.place, found.id, change, others)
        record(built, visit, "iso.edit", iso, changed=given_fields(change))
        terminal.known(iso, _listed, as_json=as_json)


@app.command()
def retry(
    iso_id: IsoId,
    no_wait: NoWait = False,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Let an import that failed go on from where it stopped, and follow that to its end."""
    with visiting(data_dir, environment, service) as (built, visit):
        iso, task = visit.engine.retry_iso(visit.place, the_iso(visit, iso_id).id)
        record(built, visit, "iso.retry", iso)
        if no_wait:
            tell_started(built, iso, task, f"Importing {iso.name}  {iso.id}", as_json=as_json)
        else:
            follow_import(built, visit, task, as_json=as_json)


@app.command()
def delete(
    iso_ids: Annotated[
        list[str],
        typer.Argument(
            help="Ids, beginnings of ids, or names.", metavar="ID", autocompletion=iso_names, show_default=False
        ),
    ],
    yes: Yes = False,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Delete ISOs and their bytes. All are looked up before the first is deleted."""
    with visiting(data_dir, environment, service) as (built, visit):
        chosen = {iso.id: iso for iso in (the_iso(visit, each) for each in iso_ids)}
        if not yes:
            ask("Delete {} for good?", [iso.name for iso in chosen.values()])
        tasks = []
        for iso in chosen.values():
            tasks.append(visit.engine.delete_iso(visit.place, visit.identity, iso.id))
            record(built, visit, "iso.delete", iso)
            if not as_json:
                terminal.deleted(iso.id, iso.name, as_json=False)
        if as_json:
            terminal.json_list(tasks)


@app.command()
def files(
    iso_id: IsoId,
    path: InnerPath = "/",
    output: Output = None,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List a directory inside an image, or print or save a file of it. Nothing is mounted."""
    with visiting(data_dir, environment, service) as (_, visit):
        engine, place, iso = visit.engine, visit.place, the_iso(visit, iso_id)
        listing, opening = partial(engine.iso_files, place, iso.id), partial(engine.open_file, place, iso.id)
        show_contents(listing, opening, path, output, as_json=as_json)


for command in (prove, picture):
    app.command()(command)
