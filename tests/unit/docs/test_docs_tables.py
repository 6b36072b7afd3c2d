"""What docs/settings.md and docs/errors.md list is what the program has."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import NODEFAULT

from isobay.errors import error_classes
from isobay.settings import PREFIX, Settings

Table = Callable[[str, str], list[list[str]]]


def _may_be(kind: msgspec.inspect.Type) -> str:
    if isinstance(kind, msgspec.inspect.Metadata):
        kind = kind.type
    match kind:
        case msgspec.inspect.LiteralType(values=values):
            # msgspec sorts them; the document has them in the order in which they mean something
            return ", ".join(sorted(f"`{value}`" for value in values))
        case msgspec.inspect.IntType(ge=least, le=None):
            return f"{least} or more"
        case msgspec.inspect.IntType(ge=least, le=largest):
            return f"{least} to {largest}"
        case msgspec.inspect.BoolType():
            return "`false`, `true`"
        case msgspec.inspect.StrType(max_length=int(longest)):
            return f"up to {longest} characters"
        case msgspec.inspect.StrType():
            return "text"
        case _:
            return "a path"


def test_every_setting_is_documented_as_it_is(table: Table) -> None:
    """docs/settings.md has each option with its variable, default, range and description, and no other."""
    expected = []
    for field in msgspec.structs.fields(Settings):
        metadata = field.type.__metadata__[0]
        default = "$XDG_STATE_HOME/isobay" if field.default is NODEFAULT else str(field.default)
        if isinstance(field.default, bool):
            default = default.lower()
        shown = f"`{default}`" if default else "empty"
        kind = msgspec.inspect.type_info(field.type)
        expected.append([f"`{PREFIX}{field.name.upper()}`", shown, _may_be(kind), metadata.description])
    rows = table("docs/settings.md", "Variable")
    found = [
        [name, default, ", ".join(sorted(may_be.split(", "))) if "`, `" in may_be else may_be, meaning]
        for name, default, may_be, meaning in rows
    ]
    assert found == expected


def test_every_error_has_one_line(table: Table) -> None:
    """docs/errors.md has each error's code and status once, in the order of codes, each with a sentence."""
    expected = sorted([str(each.code), str(each.status)] for each in error_classes())
    rows = table("docs/errors.md", "Code")
    assert [row[:2] for row in rows] == expected
    assert all(row[2].endswith(".") for row in rows)


def test_every_boot_mode_and_format_is_explained(table: Table) -> None:
    """docs/images.md explains each boot mode and format that the reader's documentation names."""
    from isobay.image import Image

    for heading, attribute in (("Mode", Image.boot_modes), ("`formats`", Image.formats)):
        said = str(attribute.__doc__).split("of: ")[1].split(".")[0]
        assert [row[0].strip("`") for row in table("docs/images.md", heading)] == said.split(", ")
