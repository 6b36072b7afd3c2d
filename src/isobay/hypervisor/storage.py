"""Where guests' disks lie: a pool of libvirt's own making in one directory, so that isobay needs no right to it.

<id>.qcow2       a guest's disk
<id>.log         what it said on its serial line; older lines in <id>.log.0 and so on
image+<name>     an image that was sent here from another machine; whole+image+<name> tells that all of it came
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import Event, Lock
from typing import Any, BinaryIO, TypeVar
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import libvirt

from isobay.hypervisor.connection import is_code

SENT = "image"
WHOLE = "whole+"
TRIES = 40
WAIT_SECONDS = 0.25
_DISK = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.qcow2")
T = TypeVar("T")


class Storage:
    """The pool of one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._name = f"isobay-{sha256(str(directory).encode()).hexdigest()[:12]}"
        self._sending = Lock()

    def disk(self, opened: Any, guest_id: str, size_gb: int) -> str:
        """Make a guest's disk, if it is not there; its path."""
        disk = _volume(_disk_name(guest_id), "qcow2", size_gb << 30)
        SubElement(disk, "allocation").text = "0"
        return str(self._made(opened, disk).path())

    def keep(self, opened: Any, name: str, image: Path) -> str:
        """Send an image, unless it is there; its path. ``name`` tells it from all others, for ever."""
        path = self._whole(opened, name)
        if path:
            return path
        # One after another: who waits finds it there. Another process writes the same bytes to the same place.
        with self._sending, image.open("rb") as file:
            path = self._whole(opened, name)
            if path:
                return path
            sent = f"{SENT}+{name}"
            volume = _volume(sent, "raw", os.fstat(file.fileno()).st_size)
            SubElement(SubElement(volume[-1], "permissions"), "mode").text = "0644"
            made = self._made(opened, volume)
            _upload(opened, made, file)
            # Only what bears this mark came to its end.
            self.small(opened, f"{WHOLE}{sent}", b"whole")
            return str(made.path())

    def sweep(self, opened: Any, is_needed: Callable[[str], bool]) -> int:
        """Delete the images sent here that are not needed, by the names of their files, and in no domain; how many.

        What came by halves is deleted too. An image that is not needed must not be sent again.
        """
        found: dict[str, set[str]] = {}
        pool = self._found(opened)
        for volume in pool.listVolumes() if pool else ():
            sent = volume.removeprefix(WHOLE)
            if "+" in sent and not is_needed(sent):
                found.setdefault(sent, set()).add(volume)
        if not found:
            return 0
        used = _names_in_use(opened)
        ended = [sent for sent in sorted(found) if sent not in used]
        for sent in ended:
            # The mark first: what is without one is taken for what came by halves.
            for name in sorted(found[sent], key=lambda each: each == sent):
                _delete(pool, name)
        return len(ended)

    def left_disks(self, opened: Any) -> dict[str, int]:
        """The disks that no domain has, by the ids of their guests, and the bytes that they take."""
        found: dict[str, int] = {}
        pool = self._pool(opened)
        _refresh(pool)
        disks = {match[1]: name for name in pool.listVolumes() if (match := _DISK.fullmatch(name))}
        used = _names_in_use(opened) if disks else set()
        for guest_id, name in disks.items():
            try:
                if name not in used:
                    _, _, found[guest_id] = pool.storageVolLookupByName(name).info()
            except libvirt.libvirtError as error:
                if not is_code(error, libvirt.VIR_ERR_NO_STORAGE_VOL):
                    raise
        return found

    def small(self, opened: Any, name: str, content: bytes) -> str:
        """Write a small raw volume, anew where it is there; its path."""
        made = self._made(opened, _volume(name, "raw", len(content)))
        _upload(opened, made, BytesIO(content))
        return str(made.path())

    def log(self, guest_id: str) -> Path:
        """Where virtlogd writes what a guest says on its serial line."""
        return self.directory / f"{guest_id}.log"

    def remove(self, opened: Any, guest_id: str, *, keep_disk: bool) -> None:
        """Delete all that is there of a guest."""
        pool = self._pool(opened)
        _refresh(pool)
        for name in pool.listVolumes():
            if name.startswith(f"{guest_id}.") and not (keep_disk and name == _disk_name(guest_id)):
                _delete(pool, name)

    def _whole(self, opened: Any, name: str) -> str:
        """The path of an image that is here, all of it; empty where it is not."""
        pool = self._pool(opened)
        names = set(pool.listVolumes())
        for found in names:
            sent = found.removeprefix(WHOLE)
            if found != sent and sent in names and sent.partition("+")[2] == name:
                return str(pool.storageVolLookupByName(sent).path())
        return ""

    def _made(self, opened: Any, volume: Element) -> Any:
        """A volume, made if it is not there."""
        pool = self._pool(opened)
        try:
            return pool.createXML(tostring(volume, encoding="unicode"), 0)
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_STORAGE_VOL_EXIST):
                raise
            return pool.storageVolLookupByName(volume.findtext("name"))

    def _found(self, opened: Any) -> Any:
        """The pool, None where it was not made yet."""
        try:
            return opened.storagePoolLookupByName(self._name)
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_NO_STORAGE_POOL):
                raise
            return None

    def _pool(self, opened: Any) -> Any:
        found = self._found(opened)
        if found:
            return found
        pool = Element("pool", type="dir")
        SubElement(pool, "name").text = self._name
        target = SubElement(pool, "target")
        SubElement(target, "path").text = str(self.directory)
        SubElement(SubElement(target, "permissions"), "mode").text = "0711"
        # Not a lasting one: it is made again when it is needed, and nothing is left to take away.
        try:
            return opened.storagePoolCreateXML(
                tostring(pool, encoding="unicode"), libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD
            )
        except libvirt.libvirtError as error:
            # Another process of isobay made it meanwhile.
            if not is_code(error, libvirt.VIR_ERR_OPERATION_FAILED):
                raise
            return opened.storagePoolLookupByName(self._name)


def _disk_name(guest_id: str) -> str:
    return f"{guest_id}.qcow2"


def _volume(name: str, form: str, size: int) -> Element:
    """A volume to make, of so many bytes; its target comes last."""
    volume = Element("volume")
    SubElement(volume, "name").text = name
    SubElement(volume, "capacity", unit="bytes").text = str(size)
    SubElement(SubElement(volume, "target"), "format", type=form)
    return volume


def _upload(opened: Any, volume: Any, file: BinaryIO) -> None:
    stream = opened.newStream()
    # Another process may be making it just now.
    _patiently(lambda: volume.upload(stream, 0, 0), libvirt.VIR_ERR_OPERATION_INVALID)
    stream.sendAll(lambda _stream, wanted, _opaque: file.read(wanted), None)
    stream.finish()


def _patiently(work: Callable[[], T], code: int) -> T:
    """Try something again for some seconds while libvirt refuses it with this code."""
    for _ in range(TRIES):
        try:
            return work()
        except libvirt.libvirtError as error:
            if not is_code(error, code):
                raise
            Event().wait(WAIT_SECONDS)
    return work()


def _refresh(pool: Any) -> None:
    """Look at what is there; libvirt refuses that while another volume is being made."""
    _patiently(pool.refresh, libvirt.VIR_ERR_INTERNAL_ERROR)


def _names_in_use(opened: Any) -> set[str]:
    """The names of the files that any domain, of whomever, has now, or will have when it starts next."""
    found: set[str] = set()
    for domain in opened.listAllDomains():
        try:
            descriptions = [domain.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)]
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
                raise
            continue
        for description in descriptions:
            described = fromstring(description)  # noqa: S314 -- written by libvirt, which the operator trusts
            found.update(
                Path(source.get("file", "")).name for source in described.iterfind("devices/disk//source[@file]")
            )
    return found


def _delete(pool: Any, name: str) -> None:
    try:
        pool.storageVolLookupByName(name).delete(0)
    except libvirt.libvirtError as error:
        if not is_code(error, libvirt.VIR_ERR_NO_STORAGE_VOL):
            raise
