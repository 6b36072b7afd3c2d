"""``isobay inspect``: what an image is, without putting it anywhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isobay.cli import terminal
from isobay.cli.opening import check_source, is_url, source_error
from isobay.cli.options import DataDir, Json
from isobay.cli.reported import facts_of
from isobay.cli.rule_cache import rules_in_use
from isobay.settings import Settings

if TYPE_CHECKING:  # loaded when the command runs
    from isobay.inspection import Report
    from isobay.osdetect import Rules


def inspect(
    source: Annotated[
        str, typer.Argument(help="The file of an image, a drive such as /dev/sr0, or a URL.", metavar="PATH|URL")
    ],
    checksum_url: Annotated[
        str, typer.Option(help="Where the checksum of the file at the URL is published.", show_default=False)
    ] = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Say what an image is: its formats, how it boots, and which operating system is on it.

    Of a URL it says too what importing it would meet; with exit code 1 the import would fail. Nothing is kept, and
    no data directory is needed: rules imported there are used where there is one.
    """
    settings = Settings.load(data_dir=data_dir)
    # Another account's data directory is no reason to fail.
    imported = settings.rules_dir if os.access(settings.rules_dir, os.R_OK | os.X_OK) else None
    if is_url(source):
        from isobay.cli.examining import examine

        examine(source, checksum_url, settings, imported, as_json=as_json)
        return
    if checksum_url:
        raise typer.BadParameter("goes with a URL only", param_hint="--checksum-url")
    path = Path(source)
    check_source(path)
    report = _report(path, rules_in_use(settings, imported))
    if as_json:
        terminal.json(report)
    else:
        terminal.facts(source, facts_of(report))


def _report(path: Path, rules: Rules) -> Report:
    from isobay.image import open_path
    from isobay.inspection.report import report_on

    try:
        with open_path(path) as image:
            return report_on(image, rules)
    except OSError as error:
        raise source_error(path, error) from error
