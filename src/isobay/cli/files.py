"""``isobay files``: what is inside an image that lies anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isobay.cli.contents import InnerPath, Output, show
from isobay.cli.opening import check_source, is_url, source_error
from isobay.cli.options import DataDir, Json
from isobay.errors import FetchError
from isobay.settings import Settings

if TYPE_CHECKING:  # what is heavy is loaded when the command runs
    from isobay.image import Image


def files(
    source: Annotated[
        str,
        typer.Argument(help="A URL of an image, its file, or a drive such as /dev/sr0.", metavar="URL|FILE"),
    ],
    path: InnerPath = "/",
    output: Output = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List a directory inside an image, or print or save a file of it, without fetching or mounting the image."""
    from isobay.inspection.contents import content_of, files_of

    settings = Settings.load(data_dir=data_dir)
    with _far(source, settings) if is_url(source) else _near(Path(source)) as image:
        show(partial(files_of, image), partial(content_of, image), path, output, as_json=as_json)


@contextmanager
def _near(path: Path) -> Iterator[Image]:
    from isobay.image import open_image

    check_source(path)
    # Each read on its own: what goes wrong where results are written is not the image's fault.
    with _reading(path):
        file = path.open("rb")
    with file:

        def read_at(offset: int, size: int, /) -> bytes:
            with _reading(path):
                file.seek(offset)
                return file.read(size)

        with _reading(path):
            size = file.seek(0, os.SEEK_END)
        yield open_image(read_at, size)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise source_error(path, error) from error


@contextmanager
def _far(text: str, settings: Settings) -> Iterator[Image]:
    from isobay.app import build_network
    from isobay.image import open_image
    from isobay.transfer.client import Client
    from isobay.transfer.remote import RemoteFile
    from isobay.transfer.url import SourceUrl

    url = SourceUrl.parse(text)
    with Client(build_network(settings)) as client:
        remote = RemoteFile(client, url)
        if remote.size < 0:
            raise FetchError(
                f"{url.shown}: the server does not say how large the file is, so it cannot be read from afar. "
                "Import it instead.",
                reason="no-length",
            )
        yield open_image(remote.read_at, remote.size)
