"""``isobay download``: an image off the shelf, here or of an isobay elsewhere, into a file."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from isobay.cli import terminal
from isobay.cli.choosing import the_iso
from isobay.cli.completing import iso_names
from isobay.cli.opening import visiting
from isobay.cli.options import DataDir, EnvironmentName, Json, ServiceCode
from isobay.cli.trying import in_turn, pause
from isobay.errors import AlreadyExistsError, ChecksumError, ConflictError, IsobayError, StorageError, WrongStateError
from isobay.settings import Settings

if TYPE_CHECKING:  # what is heavy is loaded when the command runs
    from isobay.access import Visit
    from isobay.model import Iso
    from isobay.transfer.receiving import Receiver

PIECE = 1 << 20
RETRIES = 8
LONGEST_NAME = 200  # bytes, of the 255 that file systems take

Word = Annotated[
    str,
    typer.Argument(help="The ISO's id or its name.", metavar="ID", autocompletion=iso_names, show_default=False),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="The file, or a directory for it; without it the ISO's name.", show_default=False
    ),
]
Url = Annotated[
    str,
    typer.Option(
        envvar="ISOBAY_URL", help="Where isobay serves, as http://host:8080; else the data directory.",
        show_default=False,
    ),
]  # fmt: skip
Key = Annotated[str, typer.Option(envvar="ISOBAY_KEY", help="A key that may read there.", show_default=False)]


def download(
    iso_id: Word,
    output: Output = None,
    url: Url = "",
    key: Key = "",
    environment: EnvironmentName = "test_area",
    service: ServiceCode = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Save an image in a file, whole and verified. What was cut goes on by itself, or when it is run again."""
    if url:
        from isobay.transfer.receiving import Receiver

        settings = Settings.load(data_dir=data_dir)
        stall = settings.fetch_stall_seconds
        with Receiver(url, key, service or "compute-on", environment, settings.ca_file, stall) as receiver:
            iso = in_turn(lambda: receiver.iso(iso_id))
            path = _Saving(iso, output).save(lambda saving: _receive(receiver, saving))
    else:
        with visiting(data_dir, environment, service) as (_, visit):
            iso = the_iso(visit, iso_id)
            path = _Saving(iso, output).save(lambda saving: _copy(visit, saving))
    if as_json:
        terminal.json({"path": terminal.path_text(path), "iso": iso})
    else:
        terminal.line(path)


class _Saving:
    """A file that grows beside its place and is moved there when it is whole.

    The part is named after the image's hash: what lies there is of this image, whichever command began it.
    """

    _file: BinaryIO
    _told: Callable[[int, int], None]

    def __init__(self, iso: Iso, output: Path | None) -> None:
        if not iso.ready:
            raise WrongStateError(f"The ISO {iso.name!r} is {iso.status}, and can be downloaded when it is ready.")
        self.iso = iso
        name = _file_name(iso.name)
        self._path = output / name if output and output.is_dir() else output or Path(name)
        self._part = self._path.with_name(f".{iso.checksums['sha256'][:32]}.part")
        self._digest = hashlib.sha256()
        self.have = 0

    def save(self, bring: Callable[[_Saving], None]) -> Path:
        """Have the missing bytes brought. Raises ChecksumError where they are not the image's."""
        if self._path.exists():
            raise AlreadyExistsError(f"{self._path} is there already. Name another file with --output.")
        with _refusing(self._path), self._part.open("ab") as self._file, terminal.progress(self.iso.name) as self._told:
            self._hold()
            self._count()
            if self.have < self.iso.size:
                bring(self)
            self._file.flush()
            os.fsync(self._file.fileno())
            if self._digest.hexdigest() != self.iso.checksums["sha256"]:
                self._part.unlink()
                raise ChecksumError(f"What came of {self.iso.name!r} is damaged, and was thrown away. Try again.")
            self._part.rename(self._path)
        return self._path

    def _hold(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(f"Another command downloads {self.iso.name!r} to there. Wait until it ends.") from error

    def begin(self, start: int) -> None:
        """Take what comes as the bytes from ``start``, which is what there is, or 0 to begin anew."""
        if start != self.have:
            self._file.truncate(0)
            self._digest, self.have = hashlib.sha256(), 0

    def take(self, data: bytes) -> None:
        """Take the next bytes."""
        with _refusing(self._path):
            self._file.write(data)
        self._digest.update(data)
        self.have += len(data)
        self._told(self.have, self.iso.size)

    def _count(self) -> None:
        with self._part.open("rb") as before:
            while piece := before.read(PIECE):
                self._digest.update(piece)
                self.have += len(piece)
        if self.have > self.iso.size:
            self.begin(0)


def _receive(receiver: Receiver, saving: _Saving) -> None:
    """Fetch until all is there, again and again while that brings something."""
    failures = 0
    while saving.have < saving.iso.size:
        before = saving.have
        try:
            in_turn(lambda: receiver.fetch(saving.iso, saving.have, saving.take, saving.begin))
        except IsobayError as error:
            failures = pause(error, 0 if saving.have > before else failures, RETRIES)


def _copy(visit: Visit, saving: _Saving) -> None:
    opened = visit.engine.open_iso(visit.place, saving.iso.id)
    try:
        while piece := opened.read_at(saving.have, PIECE):
            saving.take(piece)
    finally:
        opened.close()


def _file_name(name: str) -> str:
    """A name for the file that leads nowhere else and that a terminal may show."""
    harmless = "".join(each if each.isprintable() and each not in "/\\" else "_" for each in name).lstrip(". ")
    short = harmless.removesuffix(".iso").encode("utf-8", "replace")[:LONGEST_NAME].decode("utf-8", "ignore")
    return f"{short or 'image'}.iso"


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {os.strerror(error.errno or 0)}.") from error
