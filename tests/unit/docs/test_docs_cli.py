"""docs/cli.md has every command with its options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from typer.main import get_command

from isobay.cli.main import FAILED, INTERRUPTED, NOT_FOUND, app

Document = Callable[[str], str]
Table = Callable[[str, str], list[list[str]]]
SHARED = {"--json", "--data-dir", "--environment", "-e", "--service", "--help"}


def _commands(command: Any, name: str) -> Iterator[tuple[str, set[str]]]:
    children = getattr(command, "commands", None)
    if children is None:
        options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        yield name, {option for option in options if option.startswith("-")}
        return
    for child, found in children.items():
        yield from _commands(found, f"{name} {child}")


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^### `(isobay [a-z ]+)`$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_a_section_and_no_other_has(document: Document) -> None:
    """The sections of the document are the commands that there are."""
    assert sorted(_sections(document("docs/cli.md"))) == sorted(
        name for name, _ in _commands(get_command(app), "isobay")
    )


def test_every_option_is_documented(document: Document) -> None:
    """Options that many commands have stand at the top, every other in its command's section; none is made up."""
    text = document("docs/cli.md")
    sections = _sections(text)
    for name, options in _commands(get_command(app), "isobay"):
        named = set(re.findall(r"`(--?[a-z][a-z-]*)[` ]", sections[name].split("\n## ")[0]))
        assert options - SHARED <= named, name
        assert named <= options | SHARED, name
    shared = text.split("## Options that many commands have")[1].split("\n## ")[0]
    assert set(re.findall(r"`(--?[a-z][a-z-]*)[` ]", shared)) == SHARED


def test_every_command_can_answer_in_json() -> None:
    """Every command takes --json but the service itself and its worker."""
    without = [name for name, options in _commands(get_command(app), "isobay") if "--json" not in options]
    assert without == ["isobay serve", "isobay worker"]


def test_the_exit_codes_are_documented(table: Table) -> None:
    """The document's exit codes are those that the command line ends with."""
    codes = [int(row[0]) for row in table("docs/cli.md", "Code")]
    assert codes == [0, FAILED, 2, NOT_FOUND, INTERRUPTED]
