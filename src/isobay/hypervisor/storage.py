"""Where guests' disks lie: a pool of libvirt's own making in one directory, so that isobay needs no right to it.

<id>.qcow2       a guest's disk
<id>.log         what it said on its serial line; older lines in <id>.log.0 and so on
<id>+<name>      an image that was sent here from another machine; whole+<id>+<name> tells that all of it came
"""

from __future__ import annotations

import os
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO
from uuid import uuid4
from xml.etree.ElementTree import Element, SubElement, tostring

import libvirt

from isobay.hypervisor.connection import is_code

WHOLE = "whole+"
REFRESHES = 40
REFRESH_SECONDS = 0.25


class Storage:
    """The pool of one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._name = f"isobay-{sha256(str(directory).encode()).hexdigest()[:12]}"

    def disk(self, opened: Any, guest_id: str, size_gb: int) -> str:
        """Make a guest's disk, if it is not there; its path."""
        disk = _volume(_disk_name(guest_id), "qcow2", size_gb << 30)
        SubElement(disk, "allocation").text = "0"
        return str(self._made(opened, disk).path())

    def keep(self, opened: Any, name: str, image: Path) -> str:
        """Send an image, unless it is there; its path. ``name`` is what it is found by: others may send it too."""
        pool = self._pool(opened)
        for found in pool.listVolumes():
            if found.startswith(WHOLE) and found.endswith(f"+{name}"):
                return str(pool.storageVolLookupByName(found.removeprefix(WHOLE)).path())
        sent = f"{uuid4()}+{name}"
        with image.open("rb") as file:
            volume = _volume(sent, "raw", os.fstat(file.fileno()).st_size)
            SubElement(SubElement(volume[-1], "permissions"), "mode").text = "0644"
            made = self._made(opened, volume)
            _upload(opened, made, file)
        # Only what bears this mark came to its end.
        self.small(opened, f"{WHOLE}{sent}", b"whole")
        return str(made.path())

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
        for volume in pool.listAllVolumes():
            name = volume.name()
            if name.startswith(f"{guest_id}.") and not (keep_disk and name == _disk_name(guest_id)):
                _delete(volume)

    def _made(self, opened: Any, volume: Element) -> Any:
        """A volume, made if it is not there."""
        pool = self._pool(opened)
        try:
            return pool.createXML(tostring(volume, encoding="unicode"), 0)
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_STORAGE_VOL_EXIST):
                raise
            return pool.storageVolLookupByName(volume.findtext("name"))

    def _pool(self, opened: Any) -> Any:
        try:
            return opened.storagePoolLookupByName(self._name)
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_NO_STORAGE_POOL):
                raise
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
    volume.upload(stream, 0, 0)
    stream.sendAll(lambda _stream, wanted, _opaque: file.read(wanted), None)
    stream.finish()


def _refresh(pool: Any) -> None:
    """Look at what is there; libvirt refuses that while another volume is being made."""
    for _ in range(REFRESHES):
        try:
            pool.refresh()
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_INTERNAL_ERROR):
                raise
            Event().wait(REFRESH_SECONDS)
        else:
            return
    pool.refresh()


def _delete(volume: Any) -> None:
    try:
        volume.delete(0)
    except libvirt.libvirtError as error:
        if not is_code(error, libvirt.VIR_ERR_NO_STORAGE_VOL):
            raise
