"""How libosinfo spells the products that an image can name itself: for releases that the rules do not know yet.

The spellings are those of osinfo-db's own files. Where the rules have the system, its own name and version count.
Products without an id are real ones that osinfo-db does not have: they get a name and a version, and no id.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from isobay.osdetect.entities import System
from isobay.osdetect.rules import Rules

__all__ = ["PRODUCTS", "Identity", "Product", "identity_of", "identity_of_system", "spellings"]


@dataclass(frozen=True, slots=True)
class Identity:
    """An operating system by libosinfo's id (empty: libosinfo has none), name and version."""

    os_id: str
    short_id: str
    name: str
    version: str
    system: System | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A line of releases. ``{}`` stands for the release, which is what ``release`` leaves of a full version."""

    name: str
    os_id: str = ""
    short_id: str = ""
    release: Callable[[str], str] = str


def _parts(count: int) -> Callable[[str], str]:
    """Keep the first ``count`` numbers of a version, and the whole of one that is a word (``testing``)."""

    def release(version: str) -> str:
        return ".".join(version.split(".")[:count])

    return release


def _minor(version: str) -> str:
    """``10`` is the release 10.0 where a product counts its minor releases."""
    return ".".join([*version.split("."), "0"][:2])


def _centos(version: str) -> str:
    """libosinfo has every minor release up to 6.10, and one entry each for 7 (as ``7.0``) and 8."""
    major = version.partition(".")[0]
    return {"7": "7.0", "8": "8"}.get(major, _minor(version))


def _opensuse(version: str) -> str:
    return version if version in {"tumbleweed", "microos", "factory"} else _minor(version)


major = _parts(1)
PRODUCTS: dict[str, Product] = {
    "almalinux": Product("AlmaLinux {}", "http://almalinux.org/almalinux/{}", "almalinux{}", major),
    "almalinux-kitten": Product(
        "AlmaLinux Kitten {}", "http://almalinux.org/almalinux-kitten/{}", "almalinux-kitten{}", major
    ),
    "alpine": Product("Alpine Linux {}", "http://alpinelinux.org/alpinelinux/{}", "alpinelinux{}", _minor),
    "alt": Product("ALT {}", "http://altlinux.org/alt/{}", "alt{}", _minor),
    "alt-starterkits": Product("ALT {} StarterKits", "http://altlinux.org/alt/{}.starterkits", "alt.{}"),
    "anolis": Product("Anolis OS {}", "http://openanolis.cn/anolis/{}", "anolis{}", _minor),
    "arch": Product("Arch Linux", "http://archlinux.org/archlinux/rolling", "archlinux"),
    "centos": Product("CentOS {}", "http://centos.org/centos/{}", "centos{}", _centos),
    "centos-stream": Product("CentOS Stream {}", "http://centos.org/centos-stream/{}", "centos-stream{}", major),
    "circle": Product("Circle Linux {}", "http://cclinux.org/circle/{}", "circle{}", _minor),
    "clearlinux": Product("Clear Linux OS", "http://clearlinux.org/clearlinux/rolling", "clearlinux"),
    "coreos": Product("Fedora CoreOS", "http://fedoraproject.org/coreos/{}", "fedora-coreos-{}"),
    "debian": Product("Debian {}", "http://debian.org/debian/{}", "debian{}", major),
    "devuan": Product("Devuan GNU/Linux {}"),
    "dragonflybsd": Product("DragonFlyBSD {}", "http://dragonflybsd.org/dragonflybsd/{}", "dragonflybsd{}", _parts(3)),
    "elementary": Product("elementary OS {}", "http://elementary.io/elementary/{}", "elementary{}", _minor),
    "eos": Product("Endless OS {}", "http://endlessos.com/eos/{}", "eos{}", _minor),
    "eurolinux": Product("EuroLinux {}", "http://euro-linux.com/eurolinux/{}", "eurolinux{}", major),
    "fedora": Product("Fedora Linux {}", "http://fedoraproject.org/fedora/{}", "fedora{}", major),
    "fedora-eln": Product("Fedora ELN", "http://fedoraproject.org/fedora/eln", "fedora-eln"),
    "fedora-rawhide": Product("Fedora Rawhide", "http://fedoraproject.org/fedora/rawhide", "fedora-rawhide"),
    "freebsd": Product("FreeBSD {}", "http://freebsd.org/freebsd/{}", "freebsd{}", _minor),
    "gentoo": Product("Gentoo Linux", "http://gentoo.org/gentoo/rolling", "gentoo"),
    "kali": Product("Kali Linux {}"),
    "linuxmint": Product("Linux Mint {}"),
    "lmde": Product("LMDE {}"),
    "mageia": Product("Mageia {}", "http://mageia.org/mageia/{}", "mageia{}", major),
    "manjaro": Product("Manjaro", "http://manjaro.org/manjaro/rolling", "manjaro"),
    "miraclelinux": Product("MIRACLE LINUX {}", "http://miraclelinux.com/miraclelinux/{}", "miraclelinux{}", _minor),
    "netbsd": Product("NetBSD {}", "http://netbsd.org/netbsd/{}", "netbsd{}", _parts(3)),
    "nixos": Product("NixOS {}", "http://nixos.org/nixos/{}", "nixos-{}", _minor),
    "openbsd": Product("OpenBSD {}", "http://openbsd.org/openbsd/{}", "openbsd{}", _minor),
    "opensuse": Product("openSUSE Leap {}", "http://opensuse.org/opensuse/{}", "opensuse{}", _opensuse),
    "oracle": Product("Oracle Linux {}", "http://oracle.com/ol/{}", "ol{}", _minor),
    "popos": Product("Pop!_OS {}", "http://system76.com/popos/{}", "popos{}", _minor),
    "proxmox": Product("Proxmox {}"),
    "pureos": Product("PureOS {}", "http://pureos.net/pureos/{}", "pureos{}", major),
    "rhel": Product("Red Hat Enterprise Linux {}", "http://redhat.com/rhel/{}", "rhel{}", _minor),
    "rocky": Product("Rocky Linux {}", "http://rockylinux.org/rocky/{}", "rocky{}", major),
    "scientific": Product(
        "Scientific Linux {}", "http://scientificlinux.org/scientificlinux/{}", "scientificlinux{}", _minor
    ),
    "silverblue": Product("Fedora Silverblue {}", "http://fedoraproject.org/silverblue/{}", "silverblue{}", major),
    "slackware": Product("Slackware {}", "http://slackware.com/slackware/{}", "slackware{}", _minor),
    "sle": Product("SUSE Linux Enterprise {}", "http://suse.com/sle/{}", "sle{}"),
    "sled": Product("SUSE Linux Enterprise Desktop {}", "http://suse.com/sled/{}", "sled{}"),
    "slem": Product("SUSE Linux Enterprise Micro {}", "http://suse.com/slem/{}", "slem{}", _minor),
    "sles": Product("SUSE Linux Enterprise Server {}", "http://suse.com/sles/{}", "sles{}"),
    "solus": Product("Solus", "http://getsol.us/solus/rolling", "solus"),
    "trisquel": Product("Trisquel {}", "http://trisquel.info/trisquel/{}", "trisquel{}", major),
    "ubuntu": Product("Ubuntu {}", "http://ubuntu.com/ubuntu/{}", "ubuntu{}", _minor),
    "void": Product("Void Linux", "http://voidlinux.org/voidlinux/rolling", "voidlinux"),
    "windows": Product("Microsoft Windows {}", "http://microsoft.com/win/{}", "win{}"),
}
NUMBERED = re.compile(r"[\w.+~-]{1,40}", re.ASCII)
SERVICE_PACK = re.compile(r"(\d+)\.([1-9]\d*)", re.ASCII)


def identity_of_system(system: System) -> Identity:
    """Return a system of the rules as an identity."""
    return Identity(system.os_id, system.short_id, system.name, system.version, system)


def spellings(key: str, version: str) -> set[str]:
    """Return every libosinfo id that may stand for this version: of 9.4.1 also that of 9.4 and of 9."""
    product = PRODUCTS[key]
    if not product.os_id:
        return set()
    numbers = version.split(".")
    return {product.os_id.format(product.release(version))} | {
        product.os_id.format(".".join(numbers[:count])) for count in range(1, len(numbers) + 1)
    }


def identity_of(key: str, version: str, rules: Rules) -> Identity | None:
    """Return how libosinfo spells ``version`` of a product, or None for a version that is no version.

    The rules' own entry counts when they have one, for the release or for the exact version.
    """
    product = PRODUCTS[key]
    if "{}" in product.name + product.os_id and not NUMBERED.fullmatch(version):
        return None
    for release in (version, product.release(version)):
        system = rules.system(product.os_id.format(release)) if product.os_id else None
        if system is not None:
            return identity_of_system(system)
    release = product.release(version)
    if key == "windows":
        return _windows(release)
    short = long = release
    pack = SERVICE_PACK.fullmatch(release)
    if key in {"sle", "sled", "sles"} and pack and int(pack[1]) < 16:
        short, long = f"{pack[1]}sp{pack[2]}", f"{pack[1]} SP{pack[2]}"
    if key == "opensuse" and release.isalpha():
        return Identity(product.os_id.format(release), "opensuse" + release, f"openSUSE {release.title()}", release)
    return Identity(product.os_id.format(release), product.short_id.format(short), product.name.format(long), release)


WINDOWS = {
    "vista": ("Vista", "6.0"),
    "7": ("7", "6.1"),
    "8": ("8", "6.2"),
    "8.1": ("8.1", "6.3"),
    "10": ("10", "10.0"),
    "11": ("11", "11.0"),
    "2k8": ("Server 2008", "6.0"),
    "2k8r2": ("Server 2008 R2", "6.1"),
    "2k12": ("Server 2012", "6.2"),
    "2k12r2": ("Server 2012 R2", "6.3"),
    "2k16": ("Server 2016", "10.0"),
    "2k19": ("Server 2019", "10.0"),
    "2k22": ("Server 2022", "10.0"),
    "2k25": ("Server 2025", "10.0"),
}


def _windows(release: str) -> Identity | None:
    """libosinfo's ``version`` of a Windows is that of its kernel, but for 11."""
    if release not in WINDOWS:
        return None
    name, version = WINDOWS[release]
    return Identity(f"http://microsoft.com/win/{release}", f"win{release}", f"Microsoft Windows {name}", version)
