"""``isobay rules``: the operating system rules in use, and newer ones."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isobay.cli import terminal
from isobay.cli.opening import source_error
from isobay.cli.options import DataDir, Json
from isobay.cli.rule_cache import rules_in_use
from isobay.errors import SettingsError
from isobay.settings import Settings

if TYPE_CHECKING:  # what is heavy is loaded when a command runs
    from isobay.osdetect import Rules

app = typer.Typer(
    help="Show where the rules (libosinfo's database) come from, and bring in newer ones.", no_args_is_help=True
)


@app.command()
def status(as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show the places of the rules, the weakest first, and what each holds."""
    settings = Settings.load(data_dir=data_dir)
    _tell(settings, rules_in_use(settings, settings.rules_dir), as_json=as_json)


@app.command("import")
def import_(
    archive: Annotated[
        Path,
        typer.Argument(help="osinfo-db as .tar.xz, .tar.gz or .tar, or a directory.", metavar="FILE", readable=False),
    ],
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Bring in rules from an archive of osinfo-db. A bad archive changes nothing."""
    settings = Settings.load(data_dir=data_dir)
    try:
        os.close(os.open(archive, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        raise source_error(archive, error) from error
    _tell(settings, _bring_in(archive, settings), as_json=as_json)


@app.command()
def update(
    url: Annotated[
        str, typer.Option(help="An archive, or a page that links to osinfo-db archives.", show_default=False)
    ] = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Fetch the newest rules and bring them in, unless those in use are as new.

    Without --url they come from ISOBAY_RULES_URL.
    """
    from isobay.cli.releases import fetch, newest

    settings = Settings.load(data_dir=data_dir)
    before = rules_in_use(settings, settings.rules_dir)
    release = newest(url or settings.rules_url)
    if release.version and release.version <= before.version:
        terminal.say(f"The rules in use are of {before.version}; {release.url} is no newer.")
        _tell(settings, before, as_json=as_json)
        return
    with tempfile.TemporaryDirectory(prefix="isobay-rules-") as directory:
        archive = Path(directory) / "osinfo-db.tar"
        with terminal.progress("osinfo-db") as progress:
            fetch(release.url, archive, progress)
        _tell(settings, _bring_in(archive, settings), as_json=as_json)


def _bring_in(archive: Path, settings: Settings) -> Rules:
    from isobay.osdetect import import_rules

    try:
        settings.data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{settings.data_dir} cannot be made: {os.strerror(error.errno or 0)}.") from error
    brought = import_rules(archive, settings.rules_dir)
    rules = rules_in_use(settings, settings.rules_dir)
    if not any(source.path == settings.rules_dir for source in rules.sources):
        terminal.say(
            f"The system's own rules, of {rules.version}, are newer than these, of {brought.version}, and win."
        )
    return rules


def _tell(settings: Settings, rules: Rules, *, as_json: bool) -> None:
    if as_json:
        terminal.json(
            {
                "version": rules.version,
                "systems": len(rules.systems),
                "media": len(rules.media),
                "sources": [
                    {"path": str(source.path), "version": source.version, "files": source.files}
                    for source in rules.sources
                ],
            }
        )
        return
    rows = list(_rows(settings, rules))
    terminal.table(("Place", "What", "Version", "Files"), rows)
    terminal.say(f"{len(rules.systems)} operating systems and {len(rules.media)} media are known.")


def _rows(settings: Settings, rules: Rules) -> Iterator[tuple[object, ...]]:
    last = len(rules.sources) - 1
    for number, source in enumerate(rules.sources):
        if source.path == settings.rules_dir:
            what = "imported"
        else:
            what = {last: "user", last - 1: "machine"}.get(number, "system")
        yield source.path, what, source.version or "-", source.files
