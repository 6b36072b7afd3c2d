"""``isobay upload``: a file of this machine onto the shelf of an isobay elsewhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, BinaryIO, TypeVar

import typer

from isobay.cli import terminal
from isobay.cli.opening import check_source, source_error
from isobay.cli.options import Description, EnvironmentName, Extractable, IsoName, Json, Public
from isobay.cli.shelved import tell_shelved
from isobay.cli.trying import in_turn, pause
from isobay.errors import ChecksumError, IsobayError, SourceError
from isobay.settings import Settings

if TYPE_CHECKING:  # libcurl is loaded when the command runs
    from isobay.model import Iso, Upload
    from isobay.transfer.sending import Sender

T = TypeVar("T")
RETRIES = 12
LOOK_SECONDS = 0.5
PIECE = 1 << 20

File = Annotated[Path, typer.Argument(help="The file of an image.", show_default=False)]
Url = Annotated[
    str, typer.Option(envvar="ISOBAY_URL", help="Where isobay serves, as http://host:8080.", show_default=False)
]
Key = Annotated[
    str,
    typer.Option(
        envvar="ISOBAY_KEY", help="A key that may write there; others see it in the command.", show_default=False
    ),
]
Service = Annotated[str, typer.Option("--service", help="The service code there.")]


def upload(
    file: File,
    url: Url,
    key: Key,
    name: IsoName = "",
    description: Description = "",
    public: Public = False,
    extractable: Extractable = False,
    environment: EnvironmentName = "test_area",
    service: Service = "compute-on",
    as_json: Json = False,
) -> None:
    """Upload an image to an isobay, going on by itself after cuts and restarts.

    Run again, here or on another machine, it goes on with what the same image has there already.
    """
    from isobay.transfer.sending import Sender

    settings = Settings.load()
    said = {
        "filename": file.name.encode("utf-8", "replace").decode(),
        "name": name,
        "description": description,
        "availablePublicly": "true" if public else "",
        "extractable": "true" if extractable else "",
    }
    with _opened(file) as source:
        before = _state(source)
        sha256 = _hashed(source, file.name)
        said["checksum"] = f"sha256:{sha256}"
        with (
            Sender(url, key, service, environment, settings.ca_file, settings.fetch_stall_seconds) as sender,
            terminal.progress(f"Sending {file.name}") as progress,
        ):
            found = in_turn(lambda: sender.find(before[0], said["checksum"]))
            begun = found or in_turn(lambda: sender.begin(before[0], said))
            iso = _Course(sender, source, progress).run(begun)
        if _state(source) != before:
            terminal.say(f"{file} changed while it was sent; what is there now is what it was at the beginning.")
    if iso.checksums.get("sha256") != sha256:
        raise ChecksumError(f"What arrived as {iso.id} is not the file {file}. Delete it and upload again.")
    if as_json:
        terminal.json(iso)
    else:
        tell_shelved("Uploaded", iso)


class _Course:
    """One upload, from wherever it is to its end."""

    def __init__(self, sender: Sender, source: BinaryIO, progress: terminal.Progress) -> None:
        self._sender = sender
        self._source = source
        self._progress = progress

    def run(self, upload: Upload) -> Iso:
        """Send what is missing, again and again while that brings something; the ISO, ready."""
        upload_id, length = upload.id, upload.length
        furthest, failures = upload.offset, 0
        while upload.offset < length:
            try:
                self._send(upload)
            except IsobayError as error:
                failures = pause(error, failures, RETRIES)
            upload = _patiently(lambda: self._sender.upload(upload_id))
            if upload.offset > furthest:
                furthest, failures = upload.offset, 0
        while True:
            iso = _patiently(lambda: self._sender.iso(upload_id))
            if iso.status == "failed":
                raise SourceError(iso.status_message)
            if iso.ready:
                return iso
            Event().wait(LOOK_SECONDS)  # the service died with the last byte, and its worker is to end it

    def _send(self, upload: Upload) -> None:
        def told(done: int) -> None:
            self._progress(done, upload.length)

        in_turn(lambda: self._sender.send(upload, self._source, told))


def _patiently(ask: Callable[[], T]) -> T:
    """What is asked for, though it may take some tries."""
    failures = 0
    while True:
        try:
            return in_turn(ask)
        except IsobayError as error:
            failures = pause(error, failures, RETRIES)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    check_source(path)
    try:
        source = path.open("rb", buffering=0)
    except OSError as error:
        raise source_error(path, error) from error
    with source:
        yield source


def _state(source: BinaryIO) -> tuple[int, int]:
    status = os.fstat(source.fileno())
    return source.seek(0, os.SEEK_END), status.st_mtime_ns


def _hashed(source: BinaryIO, name: str) -> str:
    digest, total, done = hashlib.sha256(), source.seek(0, os.SEEK_END), 0
    source.seek(0)
    with terminal.progress(f"Reading {name}") as progress:
        while piece := source.read(PIECE):
            digest.update(piece)
            done += len(piece)
            progress(done, total)
    return digest.hexdigest()
