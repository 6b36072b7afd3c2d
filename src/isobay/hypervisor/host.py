"""What a host can run: https://libvirt.org/formatdomaincaps.html."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import fromstring

import libvirt

from isobay.errors import HypervisorError
from isobay.hypervisor.domain_xml import BOARDS, Board
from isobay.hypervisor.interface import Architecture, Firmware, Guest, Host
from isobay.hypervisor.rights import Account


def read_account(opened: Any) -> Account | None:
    """Who QEMU runs as, where libvirt gives it an account of its own."""
    host = fromstring(opened.getCapabilities())  # noqa: S314 -- written by libvirt, which the operator trusts
    for model in host.iterfind("host/secmodel"):
        label = re.fullmatch(r"\+(\d+):\+(\d+)", model.findtext("baselabel[@type='qemu']", ""))
        if model.findtext("model") == "dac" and label:
            return Account(int(label[1]), int(label[2]))
    return None


def read_host(opened: Any, *, kvm_runs: bool) -> Host:
    """The host as it is now."""
    own = opened.getInfo()[0]
    boards = boards_of(opened)
    architectures = []
    for name in dict.fromkeys(board.architecture for board, _ in boards):
        found = [(board, firmware) for board, firmware in boards if board.architecture == name]
        every = dict.fromkeys(system for _, firmware in found for system in firmware)
        architectures.append(Architecture(name, tuple(every), accelerated=kvm_runs and found[0][0].runs == own))
    networks = tuple(network.name() for network in opened.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE))
    name = f"{opened.getType()} {_version(opened.getVersion())}, libvirt {_version(opened.getLibVersion())}"
    return Host(name, tuple(architectures), networks)


def offers_kvm(opened: Any) -> bool:
    """Whether the host says that it has KVM for x86_64: saying so proves nothing."""
    capabilities = fromstring(opened.getCapabilities())  # noqa: S314 -- as above
    return capabilities.find("guest/arch[@name='x86_64']/domain[@type='kvm']") is not None


def boards_of(opened: Any) -> list[tuple[Board, tuple[Firmware, ...]]]:
    """The boards that the host has, the better ones first, with what boots on them."""
    found = [(board, _firmware(opened, board)) for board in BOARDS]
    return [(board, firmware) for board, firmware in found if firmware]


def choose_board(opened: Any, guest: Guest, host: Host, uri: str) -> Board:
    """What to put the guest together of. Raises HypervisorError where the host lacks something for it."""
    made = [board for board in BOARDS if board.architecture == guest.architecture]
    if not made:
        named = ", ".join(dict.fromkeys(board.architecture for board in BOARDS))
        raise HypervisorError(f"isobay runs no guests of {guest.architecture}, only of {named}. Choose another image.")
    if guest.network == "default" and "default" not in host.networks:
        raise _lacking(uri, "has no running network default. There: virsh net-start default; or use user mode.")
    has = [(board, firmware) for board, firmware in boards_of(opened) if board in made]
    if not has:
        advice = f"Install {made[0].package} there, and start libvirtd anew."
        raise _lacking(uri, f"has no emulator for {guest.architecture}. {advice}")
    for board, firmware in has:
        if guest.firmware in firmware:
            return board
    package = "ovmf" if made[0].runs == "x86_64" else "qemu-efi-aarch64"
    advice = (
        f"Install {package} there, and start libvirtd anew."
        if any(guest.firmware in board.firmware for board in made)
        else f"It boots by {' or '.join(has[0][1])}."
    )
    raise _lacking(uri, f"cannot boot {guest.architecture} by {guest.firmware}. {advice}")


def _lacking(uri: str, said: str) -> HypervisorError:
    return HypervisorError(f"The host of {uri} {said}", public=f"The host {said}")


def _firmware(opened: Any, board: Board) -> tuple[Firmware, ...]:
    try:
        told = opened.getDomainCapabilities(None, board.runs, board.machine, "qemu")
    except libvirt.libvirtError:
        return ()  # there is no emulator for it
    loader = "os/loader[@supported='yes']/enum[@name='secure']/value"
    capabilities = fromstring(told)  # noqa: S314 -- as above
    systems = {value.text for value in capabilities.iterfind("os/enum[@name='firmware']/value")}
    secure = {value.text for value in capabilities.iterfind(loader)}
    has: dict[Firmware, bool] = {
        "bios": True,
        "uefi": "efi" in systems,
        "uefi-secure": "efi" in systems and "yes" in secure,
    }
    return tuple(firmware for firmware in board.firmware if has[firmware])


def _version(number: int) -> str:
    """libvirt writes 9.1.2 as 9001002."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
