"""What is known about one image before anything is concluded: its descriptor's fields and its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Medium:
    """The fields of the primary volume descriptor (ECMA-119 8.4) that libosinfo's rules look at.

    The identifiers are text without their padding, empty where the field is. ``volume_size`` is in bytes:
    the volume space size (8.4.8) times the logical block size (8.4.12). ``boot_architectures`` are the ones
    that the boot catalogue and the EFI loaders speak for, in libosinfo's spelling (``x86_64``, ``aarch64``, …).
    """

    volume_id: str = ""
    system_id: str = ""
    publisher_id: str = ""
    application_id: str = ""
    volume_size: int = 0
    boot_architectures: tuple[str, ...] = ()


class Files(Protocol):
    """The files inside an image. Paths are relative to its root, with ``/`` between names: ``sources/boot.wim``.

    Names are matched exactly; other spellings (upper case, ``;1``, ``_`` for a leading dot) are found by
    osdetect through ``names``. An implementation may raise ``errors.ImageError`` where the image is damaged.
    """

    def names(self, path: str) -> list[str]:
        """Return the names in the directory ``path`` (``""`` is the root), or nothing where there is no directory."""
        ...

    def read(self, path: str, limit: int) -> bytes | None:
        """Return at most the first ``limit`` bytes of the file ``path``, or None where there is no file."""
        ...

    def read_at(self, path: str, offset: int, size: int) -> bytes | None:
        """Return at most ``size`` bytes of the file from ``offset`` on, or None where there is no file.

        Fewer bytes than asked for, or none, mean that the file ends there.
        """
        ...
