"""Where guests' disks lie: a pool of libvirt's own making in one directory, so that isobay needs no right to it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import libvirt

from isobay.hypervisor.connection import is_code


class Storage:
    """The pool of one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._name = f"isobay-{sha256(str(directory).encode()).hexdigest()[:12]}"

    def disk(self, opened: Any, guest_id: str, size_gb: int) -> str:
        """Make a guest's disk, if it is not there; its path."""
        volume = Element("volume")
        SubElement(volume, "name").text = _disk_name(guest_id)
        SubElement(volume, "capacity", unit="GiB").text = str(size_gb)
        SubElement(volume, "allocation").text = "0"
        SubElement(SubElement(volume, "target"), "format", type="qcow2")
        pool = self._pool(opened)
        try:
            return str(pool.createXML(tostring(volume, encoding="unicode"), 0).path())
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_STORAGE_VOL_EXIST):
                raise
            return str(pool.storageVolLookupByName(_disk_name(guest_id)).path())

    def small(self, opened: Any, name: str, content: bytes) -> str:
        """Write a small raw volume, anew where it is there; its path."""
        pool = self._pool(opened)
        volume = Element("volume")
        SubElement(volume, "name").text = name
        SubElement(volume, "capacity", unit="bytes").text = str(len(content))
        SubElement(SubElement(volume, "target"), "format", type="raw")
        try:
            made = pool.createXML(tostring(volume, encoding="unicode"), 0)
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_STORAGE_VOL_EXIST):
                raise
            made = pool.storageVolLookupByName(name)
        stream = opened.newStream()
        made.upload(stream, 0, len(content))
        stream.send(content)
        stream.finish()
        return str(made.path())

    def log(self, guest_id: str) -> Path:
        """Where virtlogd writes what a guest says on its serial line."""
        return self.directory / f"{guest_id}.log"

    def remove(self, opened: Any, guest_id: str, *, keep_disk: bool) -> None:
        """Delete all that is there of a guest."""
        pool = self._pool(opened)
        pool.refresh()
        for volume in pool.listAllVolumes():
            name = volume.name()
            if name.startswith(f"{guest_id}.") and not (keep_disk and name == _disk_name(guest_id)):
                _delete(volume)

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


def _delete(volume: Any) -> None:
    try:
        volume.delete(0)
    except libvirt.libvirtError as error:
        if not is_code(error, libvirt.VIR_ERR_NO_STORAGE_VOL):
            raise
