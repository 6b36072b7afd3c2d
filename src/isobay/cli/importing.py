"""``isobay import``: an ISO from a URL onto the shelf."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from isobay.cli import terminal
from isobay.cli.choosing import the_os_type, the_zone
from isobay.cli.fields import checked
from isobay.cli.following import follow_import, tell_started
from isobay.cli.opening import visiting
from isobay.cli.options import (
    DataDir,
    Description,
    EnvironmentName,
    Extractable,
    IsoName,
    Json,
    NoWait,
    Public,
    ServiceCode,
)
from isobay.cli.recording import record
from isobay.errors import InvalidFieldsError
from isobay.model import NewIso
from isobay.model.iso import NAME_LENGTH

_ENDINGS = re.compile(r"(?:\.iso)?(?:\.(?:gz|bz2|xz|zst))?$", re.IGNORECASE)

Url = Annotated[str, typer.Argument(help="Where the image is: http or https.", metavar="URL", show_default=False)]
Checksum = Annotated[str, typer.Option(help="What it must have: sha256:… or bare hex digits.", show_default=False)]
ChecksumUrl = Annotated[str, typer.Option(help="Where that is published, as in SHA256SUMS.", show_default=False)]
SignatureUrl = Annotated[str, typer.Option(help="Where the signature of --checksum-url is.", show_default=False)]
Bootable = Annotated[
    bool | None, typer.Option("--bootable/--no-bootable", help="Said to boot, or not, whatever the image says.")
]
OsTypeName = Annotated[
    str, typer.Option("--os-type", help="An OS type: its id, its name or its libosinfo id.", show_default=False)
]
ZoneName = Annotated[
    str, typer.Option("--zone", help="The zone, by id or name; needed where there are several.", show_default=False)
]


def import_(
    url: Url,
    name: IsoName = "",
    description: Description = "",
    checksum: Checksum = "",
    checksum_url: ChecksumUrl = "",
    signature_url: SignatureUrl = "",
    bootable: Bootable = None,
    os_type: OsTypeName = "",
    zone: ZoneName = "",
    public: Public = False,
    extractable: Extractable = False,
    no_wait: NoWait = False,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Import an ISO from a URL, and follow that to its end.

    Where no worker runs, this command does the work itself. Ctrl-C ends the command, and not the import.
    """
    values: dict[str, Any] = {
        **_addresses(url=url, checksum_url=checksum_url, signature_url=signature_url),
        "name": name or _name(url),
        "description": description,
        "checksum": _checksum(checksum),
        "bootable": bootable,
        "available_publicly": public,
        "extractable": extractable,
    }
    with visiting(data_dir, environment, service, make=True) as (built, visit):
        if os_type:
            values["os_type_id"] = the_os_type(visit, os_type).id
        if zone:
            values["zone_id"] = the_zone(visit, zone).id
        iso, task = visit.engine.import_iso(visit.place, checked(NewIso, values))
        record(built, visit, "iso.import", iso, url=iso.source_url)
        if no_wait:
            tell_started(built, iso, task, f"Importing {iso.name}  {iso.id}", as_json=as_json)
        else:
            follow_import(built, visit, task, as_json=as_json)


def _addresses(**given: str) -> dict[str, str]:
    """The URLs as the API takes them. Raises InvalidFieldsError, which says nothing of what stands in them."""
    from isobay.transfer.url import SourceUrl

    found, problems = {}, {}
    for field, text in given.items():
        if not text and field != "url":
            continue
        try:
            parsed = SourceUrl.parse(text)
        except InvalidFieldsError as error:
            problems[field.replace("_", "-")] = error.context["fields"]["url"]
        else:
            # What a browser would send: other letters encoded, and no fragment. A login is taken as it is written.
            found[field] = parsed.request if parsed.username is None else text
    if problems:
        raise InvalidFieldsError(problems)
    return found


def _name(url: str) -> str:
    from isobay.transfer.url import SourceUrl

    parsed = SourceUrl.parse(url)
    return terminal.clean(_ENDINGS.sub("", parsed.file_name))[:NAME_LENGTH] or parsed.host


def _checksum(text: str) -> str:
    from isobay.transfer.checksums import parse_checksum

    return str(parse_checksum(text)) if text else ""
