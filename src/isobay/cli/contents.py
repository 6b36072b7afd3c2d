"""``isobay isos files``: what is inside an image on the shelf."""

from __future__ import annotations

import codecs
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from isobay.cli import terminal
from isobay.cli.choosing import the_iso
from isobay.cli.opening import visiting
from isobay.cli.options import DataDir, EnvironmentName, Json, ServiceCode
from isobay.errors import InvalidFieldsError, StorageError

if TYPE_CHECKING:  # what is heavy is loaded when the command runs
    from isobay.access import Visit
    from isobay.inspection.contents import Content

MOST_ENTRIES = 10_000  # as the API's


def files(
    iso_id: Annotated[str, typer.Argument(help="The ISO's id, the beginning of its id, or its name.", metavar="ID")],
    path: Annotated[str, typer.Argument(help="A directory or a file inside the image.", metavar="PATH")] = "/",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the file's content here.", show_default=False, readable=False),
    ] = None,
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List a directory inside an image, or print or save a file of it. Nothing is mounted."""
    inside = "/" + path.strip("/")
    with visiting(data_dir, environment, service) as (_, visit):
        iso = the_iso(visit, iso_id)
        if output is not None:
            content = visit.engine.iso_content(visit.place, iso.id, inside)
            _save(content, output)
            terminal.say(f"{output}: {content.size} bytes")
        elif not _listed(visit, iso.id, inside, as_json=as_json):
            _print(visit.engine.iso_content(visit.place, iso.id, inside))


def _listed(visit: Visit, iso_id: str, path: str, *, as_json: bool) -> bool:
    """List a directory; False where the path is none."""
    try:
        found = visit.engine.iso_files(visit.place, iso_id, path, MOST_ENTRIES)
    except InvalidFieldsError:
        return False  # a file, or what the reading of it will refuse
    if as_json:
        terminal.json_list(found)
    else:
        rows = ((file.type, file.size, file.modified, file.name + _link(file.target)) for file in found)
        terminal.table(("Type", "Bytes", "Modified", "Name"), rows)
    if len(found) == MOST_ENTRIES:
        terminal.say(f"These are the first {MOST_ENTRIES} entries.")
    return True


def _link(target: str) -> str:
    return f" -> {target}" if target else ""


def _print(content: Content) -> None:
    """Write a file to standard output: as it is into a pipe, as harmless text on a terminal."""
    if not terminal.is_terminal():
        sys.stdout.flush()
        for chunk in content.chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in content.chunks:
        if b"\0" in chunk:
            raise InvalidFieldsError({"path": f"{content.name} is no text; save it with --output FILE"})
        text = decoder.decode(chunk)
        sys.stdout.write("".join(each if each in "\n\t" else terminal.clean(each) for each in text))


def _save(content: Content, output: Path) -> None:
    """Write a file beside its place and move it there when it is whole; what is no regular file is written into."""
    try:
        try:
            mode = output.lstat().st_mode
        except FileNotFoundError:
            mask = os.umask(0)
            os.umask(mask)
            mode = stat.S_IFREG | 0o666 & ~mask
        if stat.S_ISREG(mode):
            _replace(content, output, stat.S_IMODE(mode))
        else:  # a device, a pipe or a link: moving a file onto it would take it away
            with output.open("wb") as file:
                _write(content, file, output.name)
    except OSError as error:
        raise StorageError(f"{output} cannot be written: {os.strerror(error.errno or 0)}.") from error


def _replace(content: Content, output: Path, mode: int) -> None:
    descriptor, part = tempfile.mkstemp(prefix=".isobay-", dir=output.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(content, file, output.name)
        Path(part).chmod(mode)
        Path(part).replace(output)
    finally:
        Path(part).unlink(missing_ok=True)


def _write(content: Content, file: BinaryIO, name: str) -> None:
    done = 0
    with terminal.progress(name) as progress:
        for chunk in content.chunks:
            file.write(chunk)
            done += len(chunk)
            progress(done, content.size)
