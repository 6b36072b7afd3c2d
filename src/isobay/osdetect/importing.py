"""Bringing in a release of libosinfo's database: an osinfo-db archive, or a directory unpacked from one."""

from __future__ import annotations

import io
import lzma
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from isobay.errors import RulesError
from isobay.osdetect.parse import LARGEST_FILE
from isobay.osdetect.rules import Rules, load_rules

__all__ = ["import_rules"]

MOST_MEMBERS = 50_000
MOST_BYTES = 128 << 20  # unpacked; osinfo-db of 2026 has 6 MiB
MOST_MEMORY = 256 << 20  # of the unpacker
CHUNK = 1 << 16
FOLDERS = frozenset({"datamap", "device", "install-script", "os", "platform", "schema"})
LOOSE = frozenset({"VERSION", "LICENSE"})
SUFFIXES = frozenset({".xml", ".rng"})


def import_rules(archive: Path, target: Path) -> Rules:
    """Put the rules of ``archive`` (osinfo-db as ``.tar``, ``.tar.xz``, ``.tar.gz``, or a directory) into ``target``.

    ``target`` is a link to a directory beside it. It changes in one step, only after everything has been read and
    makes sense; whatever goes wrong before leaves it as it was. Only the database's own folders and files are taken.
    Returns the rules. Raises ``RulesError``: the archive is damaged, too large, or holds no rules.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=target.name + ".", dir=target.parent))
    except OSError as error:
        raise RulesError(f"Rules cannot be written beside {target}: {error.strerror}.", path=str(target)) from error
    try:
        _stage(archive, staged)
        _replace(staged, target)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise RulesError(f"The rules of {archive} cannot be brought in: {error}.", path=str(archive)) from error
    except RulesError:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return load_rules([target])


def _stage(archive: Path, staged: Path) -> None:
    staged.chmod(0o755)
    if archive.is_dir():
        _copy(_members_of_directory(archive), archive, staged)
    else:
        _unpack(archive, staged)
    if not load_rules([staged]).systems:
        raise RulesError(f"{archive} holds no operating system rules: give an osinfo-db archive.", path=str(archive))
    _sync(staged)


def _unpack(archive: Path, staged: Path) -> None:
    try:
        with archive.open("rb") as packed, tarfile.open(mode="r|", fileobj=_Unpacked(packed)) as tar:
            _copy(_members_of_tar(tar), archive, staged)
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError) as error:
        raise RulesError(f"{archive} is no archive that can be unpacked: {error}.", path=str(archive)) from error


class _Unpacked(io.RawIOBase):
    """A stream of what a packed file holds, that ends with an error instead of growing without bound.

    tarfile skips members and reads long names by reading the stream, so this is where the size has its limit.
    """

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__()
        self._packed = packed
        start = packed.read(6)
        packed.seek(0)
        self._lzma = lzma.LZMADecompressor(memlimit=MOST_MEMORY) if start.startswith(b"\xfd7zXZ") else None
        self._zlib = zlib.decompressobj(wbits=31) if start.startswith(b"\x1f\x8b") else None
        self._left = MOST_BYTES

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with what comes next and return how many bytes that are, 0 at the end."""
        data = b""
        while not data and not self._ended():
            data = self._unpack_up_to(len(buffer))
            if not data and self._starved():
                if self._lzma is None and self._zlib is None:
                    return 0
                raise EOFError("it ends in the middle")
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it unpacks to more than {MOST_BYTES >> 20} MiB")
        buffer[: len(data)] = data
        return len(data)

    def _unpack_up_to(self, size: int) -> bytes:
        if self._lzma is not None:
            return self._lzma.decompress(self._packed.read(CHUNK) if self._lzma.needs_input else b"", size)
        if self._zlib is not None:
            return self._zlib.decompress(self._zlib.unconsumed_tail or self._packed.read(CHUNK), size)
        return self._packed.read(size)

    def _ended(self) -> bool:
        decoder = self._lzma or self._zlib
        return decoder is not None and decoder.eof

    def _starved(self) -> bool:
        """Whether nothing more can come: all is read and nothing waits to be unpacked."""
        if self._lzma is not None and not self._lzma.needs_input:
            return False
        if self._zlib is not None and (self._zlib.eof or self._zlib.unconsumed_tail):
            return False
        more = self._packed.read(1)
        self._packed.seek(-len(more), os.SEEK_CUR)
        return not more


def _members_of_tar(tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes] | None]]:
    for member in tar:
        # Links and devices are never needed, so none is made; the names are checked in `_place`.
        yield member.name, tar.extractfile(member) if member.isreg() else None


def _members_of_directory(directory: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as content:
                    yield f"osinfo-db/{path.relative_to(directory).as_posix()}", content


def _copy(members: Iterator[tuple[str, IO[bytes] | None]], archive: Path, staged: Path) -> None:
    left = MOST_BYTES
    for count, (name, content) in enumerate(members, start=1):
        if count > MOST_MEMBERS:
            raise RulesError(f"{archive} has more than {MOST_MEMBERS} members: that is no osinfo-db.")
        place = _place(name)
        if place is None or content is None:
            continue
        data = content.read(LARGEST_FILE + 1)
        left -= len(data)
        if len(data) > LARGEST_FILE or left < 0:
            raise RulesError(f"{archive} unpacks to more than a set of rules can have, at {name[:200]}.")
        path = staged / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _place(name: str) -> PurePosixPath | None:
    """Where a member goes: below the archive's one top directory, in a folder that osinfo-db has. Else nowhere."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\0" in name or "\\" in name:
        raise RulesError(f"The archive has a member whose name leads outside: {name[:200]}.")
    inner = parts[1:] if len(parts) > 1 and parts[0] not in FOLDERS else parts
    if len(inner) == 1 and inner[0] in LOOSE:
        return PurePosixPath(inner[0])
    if 1 < len(inner) <= 5 and inner[0] in FOLDERS and PurePosixPath(inner[-1]).suffix in SUFFIXES:
        return PurePosixPath(*inner)
    return None


def _sync(directory: Path) -> None:
    """Make files and directories durable, so that the rename cannot come before them after a crash."""
    for folder, _, names in os.walk(directory):
        for path in [*(Path(folder) / name for name in names), Path(folder)]:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _replace(staged: Path, target: Path) -> None:
    """Let ``target``, a symbolic link, point to ``staged``: the one way to exchange a directory in one step."""
    before = target.resolve() if target.is_symlink() else None
    link = staged.with_name(staged.name + ".link")
    link.symlink_to(staged.name, target_is_directory=True)
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    link.replace(target)
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    if before is not None and before.parent == staged.parent.resolve():
        shutil.rmtree(before, ignore_errors=True)
