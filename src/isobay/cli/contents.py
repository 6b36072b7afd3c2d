"""What is inside an image: listed, printed or saved."""

from __future__ import annotations

import codecs
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from isobay.cli import terminal
from isobay.errors import InvalidFieldsError, StorageError

if TYPE_CHECKING:  # what is heavy is loaded when a command runs
    from isobay.engines.opened import Opened
    from isobay.inspection.contents import Content
    from isobay.model import IsoFile

MOST_ENTRIES = 10_000  # as the API's


Listing = Callable[[str, int], "list[IsoFile]"]
Opening = Callable[[str], "Content | Opened"]
InnerPath = Annotated[str, typer.Argument(help="A directory or a file inside the image.", metavar="PATH")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write the file's content here.", show_default=False, readable=False),
]


def show(listing: Listing, opening: Opening, path: str, output: Path | None, *, as_json: bool) -> None:
    """List a directory that ``listing`` reads, or print or save a file that ``opening`` opens."""
    inside = "/" + path.strip("/")
    if output is not None:
        content = opening(inside)
        save(content.chunks, content.size, output)
        if as_json:
            terminal.json({"path": terminal.path_text(output), "bytes": content.size})
        else:
            terminal.say(f"{output}: {content.size} bytes")
    elif not _listed(listing, inside, as_json=as_json):
        _print(opening(inside))


def _listed(listing: Listing, path: str, *, as_json: bool) -> bool:
    """List a directory; False where the path is none."""
    try:
        found = listing(path, MOST_ENTRIES)
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


def _print(content: Content | Opened) -> None:
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


def save(chunks: Iterable[bytes], size: int, output: Path) -> None:
    """Write a file beside its place and move it there when it is whole; what is no regular file is written into."""
    try:
        try:
            mode = output.lstat().st_mode
        except FileNotFoundError:
            mask = os.umask(0)
            os.umask(mask)
            mode = stat.S_IFREG | 0o666 & ~mask
        if stat.S_ISREG(mode):
            _replace(chunks, size, output, stat.S_IMODE(mode))
        else:  # a device, a pipe or a link: moving a file onto it would take it away
            with output.open("wb") as file:
                _write(chunks, size, file, output.name)
    except OSError as error:
        raise StorageError(f"{output} cannot be written: {os.strerror(error.errno or 0)}.") from error


def _replace(chunks: Iterable[bytes], size: int, output: Path, mode: int) -> None:
    descriptor, part = tempfile.mkstemp(prefix=".isobay-", dir=output.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(chunks, size, file, output.name)
        Path(part).chmod(mode)
        Path(part).replace(output)
    finally:
        Path(part).unlink(missing_ok=True)


def _write(chunks: Iterable[bytes], size: int, file: BinaryIO, name: str) -> None:
    done = 0
    with terminal.progress(name) as progress:
        for chunk in chunks:
            file.write(chunk)
            done += len(chunk)
            progress(done, size)
