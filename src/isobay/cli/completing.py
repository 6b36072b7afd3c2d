"""What a shell is told while somebody types: names out of the data directory.

A shell puts them into the command as they are, so only those are told that it takes as one harmless word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

import typer

from isobay.cli.opening import opened, visiting
from isobay.errors import IsobayError
from isobay.model import Listing, read_record

LOOKED_AT = 1000
_WORD = re.compile(r"[A-Za-z0-9_.+][A-Za-z0-9_.+-]*")


def environment_names(context: typer.Context, incomplete: str) -> list[str]:
    """The names of environments that begin so."""
    from isobay.access import OPERATOR

    try:
        with opened(context.params.get("data_dir")) as built:
            names = [each.name for each in built.environments.all(OPERATOR)]
    except IsobayError:  # the command will say it; in the middle of a word nobody reads a sentence
        return []
    return _fitting(names, incomplete)


def iso_names(context: typer.Context, incomplete: str) -> list[str]:
    """The names of ISOs in the environment that begin so; of a large shelf only those of some that were looked at."""
    given = context.params
    if given.get("url"):  # they are elsewhere
        return []
    listing = Listing(search=incomplete, limit=LOOKED_AT)
    try:
        with visiting(given.get("data_dir"), given["environment"], given["service"]) as (_, visit):
            names = [read_record(each).name for each in visit.engine.list_isos(visit.place, listing).items]
    except IsobayError:  # as above
        return []
    return _fitting(names, incomplete)


def instance_names(context: typer.Context, incomplete: str) -> list[str]:
    """The names of the environment's instances that begin so; their hosts, which may take their time, are not asked."""
    given = context.params
    try:
        with (
            visiting(given.get("data_dir"), given["environment"], given["service"]) as (built, visit),
            built.catalog.reading() as tx,
        ):
            kept = built.catalog.instances.of_environment(tx, visit.place.environment_id)
    except IsobayError:  # as above
        return []
    return _fitting((each.record.name for each in kept), incomplete)


IsoId = Annotated[
    str,
    typer.Argument(
        help="The ISO's id, the beginning of its id, or its name.",
        metavar="ID",
        autocompletion=iso_names,
        show_default=False,
    ),
]


InstanceId = Annotated[
    str,
    typer.Argument(
        help="The instance's id, the beginning of its id, or its name.",
        metavar="ID",
        autocompletion=instance_names,
        show_default=False,
    ),
]


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete) and _WORD.fullmatch(name)})
