"""Opening the data directory: the command line works on it directly, with the rights of who may write it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from isobay.cli import terminal
from isobay.errors import NotFoundError, SettingsError, SourceError
from isobay.settings import Settings

if TYPE_CHECKING:  # the catalogue takes most of a second to import, and `inspect` does without
    from isobay.access import Visit
    from isobay.app import Isobay


@contextmanager
def opened(data_dir: Path | None, *, make: bool = False) -> Iterator[Isobay]:
    """Open everything below the data directory; ``make`` lets a missing one be made.

    Raises SettingsError where there is none, UnavailableError where the database refuses.
    """
    from isobay.app import build

    settings = Settings.load(data_dir=data_dir)
    if not make and not settings.database_url:
        check_data(settings.data_dir)
    built = build(settings)
    try:
        if built.first_key:
            terminal.say(f"A new data directory: {settings.data_dir}")
            terminal.say(f"Its administrator key, shown this once: {built.first_key}")
        yield built
    finally:
        built.catalog.close()


def check_data(data_dir: Path) -> None:
    """Raise SettingsError unless a data directory was begun there."""
    try:
        data_dir.joinpath("isobay.db").stat()
    except PermissionError as error:
        raise SettingsError(
            f"{data_dir} cannot be read: {os.strerror(error.errno or 0)}. Run the command as the account that owns it."
        ) from error
    except OSError as error:
        raise SettingsError(
            f"{data_dir} holds no isobay data. Name the right directory with --data-dir, "
            "or begin a new one with `isobay serve`, `isobay add` or `isobay import`."
        ) from error


@contextmanager
def visiting(
    data_dir: Path | None, environment: str, service: str, *, make: bool = False
) -> Iterator[tuple[Isobay, Visit]]:
    """Open everything, and enter an environment as the machine's operator."""
    with opened(data_dir, make=make) as built:
        try:
            visit = built.door.operate(environment, service)
        except NotFoundError as error:
            raise NotFoundError(
                f"There is no environment {environment!r}{f' in the service {service!r}' if service else ''}, "
                "or there are several. `isobay environments list` shows them; choose with --environment and --service.",
                type="environments",
                id=environment,
            ) from error
        yield built, visit


def is_url(text: str) -> bool:
    """Whether it is meant to be the address of a file on a server."""
    return "://" in text


def check_source(path: Path) -> None:
    """Raise NotFoundError or SourceError unless a path is a file or a drive that can be read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise source_error(path, error) from error
    # Opening a named pipe would wait for whoever writes to it.
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise SourceError(f"{path} is not a regular file. Name the file of an image.")


def source_error(path: Path, error: OSError) -> NotFoundError | SourceError:
    """What an error of the operating system says about a path."""
    sentence = f"{path} cannot be read: {os.strerror(error.errno or 0)}."
    return NotFoundError(sentence) if isinstance(error, FileNotFoundError) else SourceError(sentence)
