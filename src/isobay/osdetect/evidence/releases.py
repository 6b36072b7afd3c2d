"""Small files in which a distribution writes its release, and layouts that only one system has."""

from __future__ import annotations

import re

from isobay.osdetect.architecture import architecture_in, normalise
from isobay.osdetect.evidence.filetree import FileTree
from isobay.osdetect.evidence.finding import Finding

__all__ = ["read_alpine", "read_arch", "read_freebsd", "read_netbsd", "read_openbsd", "read_proxmox", "read_slackware"]


def read_alpine(tree: FileTree) -> Finding | None:
    """Read Alpine Linux's ``.alpine-release``: ``alpine-standard-3.20.2 240722``."""
    line = tree.line(".alpine-release")
    found = re.search(r"\b(\d+\.\d+(?:\.\d+)?)\b", line) if line else None
    if line is None or found is None:
        return None
    architectures = [normalise(name) for name in tree.names("apks")]
    return Finding(
        ".alpine-release",
        f".alpine-release reads: {line}",
        product="alpine",
        version=found[1],
        name=f"Alpine Linux {found[1]}",
        architecture=next((name for name in architectures if name), ""),
        live=True,
        installer=True,
    )


def read_arch(tree: FileTree) -> Finding | None:
    """Read archiso's ``arch/version``: a date."""
    line = tree.line("arch/version")
    if line is None or not re.fullmatch(r"\d{4}\.\d\d\.\d\d", line):
        return None
    return Finding(
        "arch/version",
        f"arch/version reads: {line}",
        product="arch",
        version=line,
        name="Arch Linux",
        architecture="x86_64" if tree.exists("arch/x86_64") else "",
        live=True,
        installer=True,
    )


def read_openbsd(tree: FileTree) -> Finding | None:
    """OpenBSD's install media have a directory for each version, with one for each architecture: ``7.6/amd64``."""
    for name in tree.names(""):
        if re.fullmatch(r"\d{1,2}\.\d", name):
            for platform in tree.names(name):
                if normalise(platform) and tree.exists(f"{name}/{platform}/bsd.rd"):
                    return Finding(
                        f"{name}/{platform}",
                        f"{name}/{platform} holds the install kernel bsd.rd of OpenBSD {name}.",
                        product="openbsd",
                        version=name,
                        name=f"OpenBSD {name}",
                        architecture=normalise(platform),
                        installer=True,
                    )
    return None


def read_freebsd(tree: FileTree) -> Finding | None:
    """Read the version in FreeBSD's ``bin/freebsd-version``, a shell script that ends up on every medium."""
    found = re.search(
        r"^USERLAND_VERSION=\"(\d+\.\d+)-[^\"]*\"", tree.text("bin/freebsd-version", 8192) or "", re.MULTILINE
    )
    if found is None:
        return None
    manifest = tree.text("usr/freebsd-dist/MANIFEST", 4096)
    return Finding(
        "bin/freebsd-version",
        f"bin/freebsd-version names FreeBSD {found[1]}.",
        product="freebsd",
        version=found[1],
        name=f"FreeBSD {found[1]}",
        live=True,
        installer=manifest is not None,
    )


def read_netbsd(tree: FileTree) -> Finding | None:
    """Read the first line of NetBSD's ``etc/release``: ``NetBSD 10.0/amd64``."""
    line = tree.line("etc/release")
    found = re.match(r"NetBSD (\d+\.\d+(?:\.\d+)?)[\w.]*/(\w+)", line) if line else None
    if found is None:
        return None
    return Finding(
        "etc/release",
        f"etc/release reads: {line}",
        product="netbsd",
        version=found[1],
        name=f"NetBSD {found[1]}",
        architecture=normalise(found[2]),
        installer=True,
    )


def read_slackware(tree: FileTree) -> Finding | None:
    """Slackware's media carry a file named after the release, ``ANNOUNCE.15_0``, and a directory of packages."""
    for name in tree.names(""):
        found = re.fullmatch(r"ANNOUNCE\.(\d+[._]\d+)", name, re.IGNORECASE)
        if found is not None:
            version = found[1].replace("_", ".")
            return Finding(
                name,
                f"{name} is the announcement of Slackware {version}.",
                product="slackware",
                version=version,
                name=f"Slackware {version}",
                architecture="x86_64" if tree.exists("slackware64") else "i686" if tree.exists("slackware") else "",
                installer=True,
            )
    return None


def read_proxmox(tree: FileTree) -> Finding | None:
    """Read Proxmox's ``.cd-info``: ``PRODUCTLONG='Proxmox Virtual Environment'``, ``RELEASE='8.2'``."""
    text = tree.text(".cd-info", 4096)
    fields = dict(re.findall(r"^(PRODUCTLONG|RELEASE|ISONAME)='([^'\n]{1,100})'", text or "", re.MULTILINE))
    if "RELEASE" not in fields or "proxmox" not in (fields.get("PRODUCTLONG", "") + fields.get("ISONAME", "")).lower():
        return None
    name = f"{fields.get('PRODUCTLONG') or 'Proxmox'} {fields['RELEASE']}"
    return Finding(
        ".cd-info",
        f".cd-info names {name}.",
        product="proxmox",
        version=fields["RELEASE"],
        name=name,
        architecture=architecture_in(fields.get("ISONAME", "")),
        installer=True,
    )
