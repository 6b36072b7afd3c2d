"""What is printed: tables for people, lines for pipes, JSON for programs.

Names and labels come from images, so nothing is printed before ``clean`` took out what a terminal would obey.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

if TYPE_CHECKING:  # Rich is loaded when something is drawn; programs that read lines or JSON do not wait for it
    from rich.console import Console

    from isobay.model import Instance, Iso

Progress = Callable[[int, int], None]


def clean(text: object) -> str:
    """The text with every control and formatting character shown as a replacement mark."""
    return "".join(character if character.isprintable() else "\ufffd" for character in str(text))


def is_terminal() -> bool:
    """Whether standard output is read by a person."""
    return sys.stdout.isatty()


def say(text: object) -> None:
    """Print one line to standard error: for people, beside the results."""
    sys.stderr.write(f"{clean(text)}\n")


def line(*columns: object) -> None:
    """Print one line of results, its columns parted by tabs."""
    sys.stdout.write("\t".join(clean(column) for column in columns) + "\n")


def json(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def json_list(values: Iterable[Any]) -> None:
    """Print a JSON array as it comes: memory does not grow with it."""
    opening = "[\n"
    for value in values:
        sys.stdout.write(opening + msgspec.json.encode(value).decode())
        opening = ",\n"
    sys.stdout.write("[]\n" if opening == "[\n" else "\n]\n")


def deleted(object_id: str, name: str, *, as_json: bool) -> None:
    """Say that an object is gone."""
    if as_json:
        json({"id": object_id, "name": name})
    else:
        line(f"Deleted {name}" if is_terminal() else object_id)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows: a table on a terminal, else lines of tab-parted columns without the headings."""
    if not is_terminal():
        for row in rows:
            line(*row)
        return
    from rich.table import Table

    drawn = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*(clean(cell) for cell in row))
    console().print(drawn)


def facts(title: str, pairs: Iterable[tuple[str, object]]) -> None:
    """Print what is known of one thing: a panel on a terminal, else lines of name, tab and value."""
    if not is_terminal():
        for name, value in pairs:
            for each in str(value).split("\n"):
                line(name, each)
        return
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    drawn = Table.grid(padding=(0, 2))
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in pairs:
        drawn.add_row(name, "\n".join(clean(each) for each in str(value).split("\n")))
    console().print(Panel(drawn, title=Text(clean(title)), title_align="left", expand=False))


def known(subject: Iso | Instance, listed: Callable[[list[Any]], str], *, as_json: bool) -> None:
    """Print all that is known of one object under the names that the API has; ``listed`` tells what is in a list."""
    if as_json:
        json(subject)
        return
    shown = ((field.encode_name, getattr(subject, field.name)) for field in msgspec.structs.fields(subject))
    facts(subject.name, ((name, _text(value, listed)) for name, value in shown if value not in ("", [], UNSET)))


def _text(value: Any, listed: Callable[[list[Any]], str]) -> str:
    if isinstance(value, bool):
        return yes_no(value)
    if isinstance(value, dict):
        return "\n".join(f"{name}:{each}" for name, each in value.items())
    return listed(value) if isinstance(value, list) else str(value)


def console(*, on_error: bool = False) -> Console:
    """A console that takes every text as it is: no markup, no emoji, no guesses at colours."""
    from rich.console import Console

    return Console(stderr=on_error, markup=False, highlight=False, emoji=False)


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Show a bar on standard error, if that is a terminal; what is yielded is told (bytes done, bytes in all)."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console(on_error=True), transient=True) as bar:
        task = bar.add_task(clean(label), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def id_text(object_id: str) -> str:
    """An id: as much as a person needs to name it on a terminal, else whole."""
    return object_id[:8] if is_terminal() else object_id


def bytes_text(size: int) -> str:
    """A size for people: ``5.9 MiB``."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    power = min(max(size.bit_length() - 1, 0) // 10, len(units) - 1)
    return f"{size} B" if power == 0 else f"{size / (1 << 10 * power):.1f} {units[power]}"


def path_text(path: Path) -> str:
    """A path as JSON can hold it; names of files may be any bytes."""
    return os.fsencode(path).decode("utf-8", "replace")


def verdict_text(verdict: str) -> str:
    """A verdict of a doctor: on a terminal a sign, else the word."""
    return {"ok": "✓", "notice": "!", "problem": "✗"}[verdict] if is_terminal() else verdict


def yes_no(value: bool) -> str:
    """A truth for people."""
    return "yes" if value else "no"
