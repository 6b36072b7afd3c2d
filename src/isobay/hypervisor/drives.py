"""Changing what is in a guest's drive."""

from __future__ import annotations

import json
from threading import Event
from typing import Any
from xml.etree.ElementTree import fromstring, tostring

import libvirt
import libvirt_qemu

from isobay.hypervisor.connection import is_code

TRIES = 10
WAIT_SECONDS = 0.2


def change_drive(domain: Any, target: str, drive: str) -> None:
    """Put ``drive`` (XML) in the place of the one at ``target``, now where it runs, and for later starts if defined.

    Raises libvirtError where libvirt refuses it, or the guest fights for its tray all the while.
    """
    has_closed = False
    for tries_left in reversed(range(TRIES)):
        live = bool(domain.isActive())
        flags = libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE
        flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE if live else 0
        flags |= libvirt.VIR_DOMAIN_AFFECT_CONFIG if domain.isPersistent() else 0
        try:
            if has_closed:
                _open_what_libvirt_takes_for_open(domain, target)
            domain.updateDeviceFlags(drive, flags)
            if not live:
                _change_saved(domain, target, drive)
        except libvirt.libvirtError as error:
            # It started or stopped between the question and the change; or its firmware or its system closed the tray
            # between libvirt's opening and filling it, which QEMU refuses, and libvirt calls an internal error.
            has_turned = bool(domain.isActive()) != live
            has_closed = live and is_code(error, libvirt.VIR_ERR_INTERNAL_ERROR)
            if not (tries_left and (has_turned or has_closed)):
                raise
            Event().wait(WAIT_SECONDS)
        else:
            return


def _change_saved(domain: Any, target: str, drive: str) -> None:
    """Change it in the image of a guest that was saved with its memory too: it goes on with what is written there."""
    if not domain.hasManagedSaveImage():
        return
    flags = libvirt.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE
    description = fromstring(domain.managedSaveGetXMLDesc(flags))  # noqa: S314 -- written by libvirt, which the operator trusts
    wanted = fromstring(drive)  # noqa: S314 -- our own
    for disk in description.iterfind("devices/disk"):
        place = disk.find("target")
        if place is None or place.get("dev") != target:
            continue
        for old in disk.findall("source"):
            disk.remove(old)
        disk.extend(wanted.findall("source"))
        disk.set("type", wanted.get("type", ""))
    domain.managedSaveDefineXML(tostring(description, encoding="unicode"))


def _open_what_libvirt_takes_for_open(domain: Any, target: str) -> None:
    """Open a tray in truth: a drive that is reset closes it, QEMU tells nobody, and libvirt would not open it again.

    libvirt has no call for it, also not by force, and calls a domain tainted that got an order without it: this is
    for when it refused.
    """
    description = fromstring(domain.XMLDesc(0))  # noqa: S314 -- written by libvirt, which the operator trusts
    for shown in description.iterfind("devices/disk"):
        place, alias = shown.find("target"), shown.find("alias")
        if place is None or alias is None or place.get("dev") != target or place.get("tray") != "open":
            continue
        order = {"execute": "blockdev-open-tray", "arguments": {"id": alias.get("name"), "force": True}}
        libvirt_qemu.qemuMonitorCommand(domain, json.dumps(order), 0)
