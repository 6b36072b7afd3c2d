"""How guests come to the images in their drives: on this machine, or on another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from isobay.errors import HypervisorError
from isobay.hypervisor.host import read_account
from isobay.hypervisor.public import UNREADABLE
from isobay.hypervisor.rights import admit
from isobay.hypervisor.storage import Storage

ELSEWHERE = Path("/var/lib/libvirt/isobay")


class Media(Protocol):
    """Images, and what they are called where guests run."""

    def show(self, opened: Any, image: Path) -> str:
        """Let guests read an image; the path of its file on their machine. Raises HypervisorError."""

    def image(self, file: str) -> Path:
        """The image of such a path: the other way round."""

    def sweep(self, opened: Any) -> int:
        """Delete the copies of images that are gone here, and are in no domain; how many."""


class Here:
    """Images on this machine, which guests read where they lie. ``data_dir``: what is below it is isobay's own."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.resolve()

    def show(self, opened: Any, image: Path) -> str:
        """Grant the right to read it. See ``Media.show``."""
        account = read_account(opened)
        if account:
            admit(image.resolve(), self._data_dir, account)
        return str(image.absolute())

    def image(self, file: str) -> Path:
        """The same path."""
        return Path(file)

    def sweep(self, opened: Any) -> int:  # noqa: ARG002 -- the seam's
        """Nothing was copied."""
        return 0


class Elsewhere:
    """Images for another machine: each below ``data_dir`` is sent there once, and stays as long as it is here."""

    def __init__(self, data_dir: Path, storage: Storage) -> None:
        self._data_dir = data_dir.absolute()
        self._storage = storage

    def show(self, opened: Any, image: Path) -> str:
        """Send it, unless it is there. See ``Media.show``."""
        if not image.is_relative_to(self._data_dir):
            said = f"{image} cannot be sent to the host of guests: it is not below {self._data_dir}."
            raise HypervisorError(said, public=UNREADABLE)
        return self._storage.keep(opened, "+".join(image.relative_to(self._data_dir).parts), image)

    def image(self, file: str) -> Path:
        """What it was sent from."""
        _, *parts = Path(file).name.split("+")
        return self._data_dir.joinpath(*parts)

    def sweep(self, opened: Any) -> int:
        """See ``Media.sweep``. Objects are never made again under the same name."""
        return self._storage.sweep(opened, lambda sent: self.image(sent).exists())
