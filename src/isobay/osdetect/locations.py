"""Where libosinfo's rules lie, and which file wins when two places have the same one.

libosinfo reads three places, the later ones stronger: the system's, the machine's, the user's. A file
``os/VENDOR/NAME.xml`` takes the place of the file with the same path in a weaker directory, together with that
one's extensions; a file in ``os/VENDOR/NAME.d/`` adds to it (libosinfo, "Database overrides").
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isobay.errors import RulesError

__all__ = ["RuleFile", "database_version", "rules_directories", "winning_files"]

MOST_FILES = 50_000
DEEPEST = 8
WITHOUT_SYSTEMS = frozenset({"datamap", "deployment", "device", "install-script", "platform", "schema"})


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One XML file of rules: what it is called below its directory, and what tells that it has changed."""

    path: str
    name: str
    size: int
    modified: int  # nanoseconds since 1970


def rules_directories(environ: Mapping[str, str], imported: Path | None = None) -> list[Path]:
    """Return the places of the rules, weakest first: the system's, ``imported``, the machine's, the user's.

    ``OSINFO_SYSTEM_DIR``, ``OSINFO_LOCAL_DIR`` and ``OSINFO_USER_DIR`` move the three standard ones, as they do
    for libosinfo. A place need not exist. Of the system's and the imported database, both whole, only the newer one
    is given: files that a newer release renamed would else stay beside their successors.
    """
    config = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "/") / ".config")
    system = Path(environ.get("OSINFO_SYSTEM_DIR") or "/usr/share/osinfo")
    places = [system]
    if imported is not None:
        versions = database_version(system), database_version(imported)
        places = [imported if versions[1] >= versions[0] else system] if all(versions) else [system, imported]
    places.append(Path(environ.get("OSINFO_LOCAL_DIR") or "/etc/osinfo"))
    places.append(Path(environ.get("OSINFO_USER_DIR") or Path(config) / "osinfo"))
    return places


def database_version(directory: Path) -> str:
    """Return the version that a database carries in its file ``VERSION``: a date, ``20260517``; or an empty text."""
    try:
        with (directory / "VERSION").open("rb") as file:
            return file.read(64).decode("ascii", "replace").strip()
    except OSError:
        return ""


def winning_files(directories: Sequence[Path]) -> list[list[RuleFile]]:
    """Return for each directory the files of it that count, in the order in which they are to be read.

    Raises ``RulesError`` when a directory cannot be listed or holds more than 50,000 files.
    """
    owners: dict[str, int] = {}
    found = [sorted(_xml_files(directory), key=_reading_order) for directory in directories]
    for index, files in enumerate(found):
        for file in files:
            if not _is_extension(file.name):
                owners[file.name.removesuffix(".xml")] = index
    return [[file for file in files if index >= owners.get(_entity(file.name), 0)] for index, files in enumerate(found)]


def _is_extension(name: str) -> bool:
    return name.rpartition("/")[0].endswith(".d")


def _entity(name: str) -> str:
    """``os/VENDOR/NAME.xml`` and ``os/VENDOR/NAME.d/MORE.xml`` both speak of ``os/VENDOR/NAME``."""
    return name.rpartition("/")[0].removesuffix(".d") if _is_extension(name) else name.removesuffix(".xml")


def _reading_order(file: RuleFile) -> tuple[str, bool, str]:
    return _entity(file.name), _is_extension(file.name), file.name


def _xml_files(directory: Path) -> Iterator[RuleFile]:
    pending = [(str(directory), "", 0)]
    count = 0
    while pending:
        path, below, depth = pending.pop()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    name = below + entry.name
                    if entry.is_dir():
                        if depth < DEEPEST and name not in WITHOUT_SYSTEMS:
                            pending.append((entry.path, name + "/", depth + 1))
                    elif entry.name.endswith(".xml") and entry.is_file():
                        status = entry.stat()
                        yield RuleFile(entry.path, name, status.st_size, status.st_mtime_ns)
                        count += 1
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RulesError(
                f"The directory {path} of operating system rules cannot be listed: {error.strerror}.", path=path
            ) from error
        if count > MOST_FILES:
            raise RulesError(
                f"{directory} holds more than {MOST_FILES} files: that is no directory of operating system rules.",
                path=str(directory),
            )
