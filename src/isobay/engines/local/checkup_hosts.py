"""What a host of instances can do, and what to install there where it lacks something."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from isobay.errors import IsobayError
from isobay.hypervisor import Architecture, Host, Hypervisor
from isobay.hypervisor.uri import is_here

Area = Literal[
    "disk", "database", "rules", "instances", "libvirt", "virtlogd", "emulator", "firmware", "kvm", "network"
]
Verdict = Literal["ok", "notice", "problem"]
KVM = Path("/dev/kvm")
SOCKET = "/run/libvirt/libvirt-sock"
CONNECT_SECONDS = 5
# Debian's packages with an emulator for an architecture that isobay has guests of, and its UEFI.
PACKAGES = {"x86_64": ("qemu-system-x86", "ovmf"), "aarch64": ("qemu-system-arm", "qemu-efi-aarch64")}


class Fact(Struct, frozen=True):
    """One sentence that a person can act on. With a ``problem`` isobay, or its instances, do not work."""

    about: Area
    verdict: Verdict
    message: str


def examine_host(uri: str, hypervisor: Hypervisor, kvm: Path = KVM) -> Iterator[Fact]:
    """What the host of a URI has. The first look at one may take seconds, for KVM has to be proved."""
    try:
        host = hypervisor.host()
    except IsobayError as error:
        yield Fact("libvirt", "problem", error.message)
        return
    yield Fact("libvirt", "ok", f"{uri} answers: {host.name}. Its guests can read what is in the data directory.")
    yield from _logs(uri)
    has = {each.name: each for each in host.architectures}
    for name, (emulator, firmware) in PACKAGES.items():
        yield from _architecture(name, has.get(name), emulator, firmware)
    if has:
        yield _kvm(host, uri, kvm)
    yield _network(host)


def _logs(uri: str) -> Iterator[Fact]:
    """virtlogd keeps what guests say on their serial lines, and without it none of them starts."""
    parts = urlsplit(uri)
    if not is_here(uri) or parts.path != "/system":
        return
    beside = Path(parse_qs(parts.query).get("socket", [SOCKET])[0]).with_name("virtlogd-sock")
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.settimeout(CONNECT_SECONDS)
        try:
            daemon.connect(str(beside))
        except PermissionError:
            yield Fact("virtlogd", "ok", f"{beside} is there; it is for libvirt alone.")
        except OSError as error:
            sentence = f"virtlogd does not answer at {beside} ({error.strerror or 'no answer'}), and no guest starts."
            yield Fact("virtlogd", "problem", f"{sentence} Start it: systemctl start virtlogd, or virtlogd -d.")
        else:
            yield Fact("virtlogd", "ok", f"virtlogd answers at {beside}.")


def _architecture(name: str, has: Architecture | None, emulator: str, firmware: str) -> Iterator[Fact]:
    if has is None:
        # Everybody has images for the first.
        verdict: Verdict = "problem" if name == "x86_64" else "notice"
        sentence = f"There is no emulator for {name}: instances of such images are refused. Install {emulator}"
        yield Fact("emulator", verdict, f"{sentence}, and start libvirtd anew.")
        return
    yield Fact("emulator", "ok", f"{name} is there, and boots by {', '.join(has.firmware)}.")
    missing = [each for each in ("uefi", "uefi-secure") if each not in has.firmware]
    if missing and not (name == "aarch64" and missing == ["uefi-secure"]):
        sentence = f"{name} does not boot by {' or '.join(missing)}. Install {firmware}, and start libvirtd anew."
        yield Fact("firmware", "notice", sentence)


def _kvm(host: Host, uri: str, kvm: Path) -> Fact:
    named = [each.name for each in host.architectures if each.accelerated]
    if named:
        return Fact("kvm", "ok", f"KVM runs guests of {', '.join(named)}: a tiny one has shown it.")
    slow = "Guests are emulated, which works, and is ten times slower or more."
    if is_here(uri) and not kvm.exists():
        return Fact(
            "kvm",
            "notice",
            f"There is no {kvm}. {slow} Switch virtualization on in the machine's firmware, or nested virtualization "
            "where this is a virtual machine itself, and load the module kvm_intel or kvm_amd.",
        )
    return Fact(
        "kvm",
        "notice",
        f"KVM is there, and a tiny guest did not come to its end with it: QEMU's account may not use {kvm} (its group "
        f"is kvm), or it hangs, as it does in some virtual machines. {slow} It is tried again after the machine's next "
        "start, or when the files kvm-proof-* in the data directory are deleted.",
    )


def _network(host: Host) -> Fact:
    if "default" in host.networks:
        return Fact("network", "ok", "libvirt's network default runs.")
    return Fact(
        "network",
        "notice",
        "libvirt's network default does not run: instances reach others by QEMU's own way out, and are not reached. "
        "Start it: virsh net-start default, and virsh net-autostart default.",
    )
