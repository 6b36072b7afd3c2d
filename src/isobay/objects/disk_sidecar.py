"""The small file beside a part: its lock, and how much of the part is on the disk for certain.

One line of fixed width, written over in place: the id of the boot that wrote it, and the bytes that were synced.
While the machine has not been booted again, the kernel has every byte that was written, whatever became of the
process; after that only the synced ones count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isobay.objects.disk_layout import Files
from isobay.objects.file_lock import locked_file

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NO_BOOT = "-"
_LINE_BYTES = 36 + 1 + 20 + 1  # a UUID, a space, digits enough for any file, a newline


def boot_id() -> str:
    """The id of this boot of the machine; empty on a system that has none."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except FileNotFoundError:
        return ""


class Sidecar:
    """An open sidecar, held. ``synced`` is what it records; its methods raise OSError."""

    def __init__(self, descriptor: int, boot: str) -> None:
        self._descriptor = descriptor
        self._boot = boot or _NO_BOOT
        recorded, _, synced = os.pread(descriptor, _LINE_BYTES, 0).decode("ascii", "replace").partition(" ")
        # A new sidecar is empty, and so is one whose line a loss of power took: nothing is certain.
        readable = synced.strip().isdecimal()
        self.synced = int(synced) if readable else 0
        self.same_boot = readable and recorded == self._boot != _NO_BOOT

    def record(self, synced: int) -> None:
        """Note, durably, that so many bytes are on the disk, and that this boot goes on from there."""
        self._write(self._boot, synced)
        self.synced = synced

    def distrust(self) -> None:
        """Note that bytes were lost though no boot came between: only what is recorded counts."""
        self._write(_NO_BOOT, self.synced)

    def _write(self, boot: str, synced: int) -> None:
        os.pwrite(self._descriptor, f"{boot:<36} {synced:020}\n".encode("ascii"), 0)
        os.fdatasync(self._descriptor)


def read_sidecar(files: Files, boot: str) -> Sidecar:
    """What an object's sidecar said a moment ago, to be read only. Raises OSError."""
    descriptor = os.open(files.sidecar, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return Sidecar(descriptor, boot)
    finally:
        os.close(descriptor)


@contextmanager
def held_sidecar(files: Files, boot: str) -> Iterator[Sidecar]:
    """Open and lock an object's sidecar, without waiting; the lock goes with the process, however it ends.

    Raises ConflictError where somebody else holds it, and OSError.
    """
    descriptor = locked_file(files.sidecar, files.object_id)
    try:
        yield Sidecar(descriptor, boot)
    finally:
        # Only a part needs one. Where it is deleted already, what has its name by now is another's.
        if os.fstat(descriptor).st_nlink and not files.part.exists():
            files.sidecar.unlink()
        os.close(descriptor)
