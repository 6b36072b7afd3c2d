"""The names that Fedora, Red Hat Enterprise Linux and their kin call themselves by, and their smaller files."""

from __future__ import annotations

import re

from isobay.osdetect.architecture import normalise
from isobay.osdetect.evidence.filetree import FileTree, printable
from isobay.osdetect.evidence.finding import Finding

__all__ = ["product_named", "read_discinfo", "read_media_repo"]

# In this order: the first name that a text contains is the one.
NAMES = (
    ("almalinux kitten", "almalinux-kitten"),
    ("almalinux", "almalinux"),
    ("anolis", "anolis"),
    ("centos stream", "centos-stream"),
    ("centos", "centos"),
    ("circle linux", "circle"),
    ("eurolinux", "eurolinux"),
    ("fedora eln", "fedora-eln"),
    ("fedora coreos", "coreos"),
    ("fedora silverblue", "silverblue"),
    ("fedora", "fedora"),
    ("miracle linux", "miraclelinux"),
    ("oracle linux", "oracle"),
    ("red hat enterprise linux", "rhel"),
    ("rocky linux", "rocky"),
    ("scientific", "scientific"),
    ("opensuse leap", "opensuse"),
    ("suse linux enterprise server", "sles"),
    ("suse linux enterprise desktop", "sled"),
    ("suse linux enterprise micro", "slem"),
    ("suse linux enterprise", "sle"),
)
VERSION = re.compile(r"\b(\d{1,3}(?:\.\d{1,3}){0,2})\b")


def product_named(text: str) -> str:
    """Return the key of the product that ``text`` names, or an empty text."""
    text = " ".join(text.lower().replace("-", " ").split())
    return next((key for name, key in NAMES if name in text), "")


def _finding(source: str, name: str, architecture: str) -> Finding | None:
    if not name:
        return None
    version = VERSION.search(name)
    return Finding(
        source,
        f"{source} names {name}" + (f" for {architecture}" if architecture else "") + ".",
        product=product_named(name),
        version=version[1] if version else "",
        name=name,
        architecture=normalise(architecture),
        installer=True,
    )


def read_discinfo(tree: FileTree) -> Finding | None:
    """Read anaconda's ``.discinfo``: a time stamp, the product's name and version, the architecture; a line each."""
    text = tree.text(".discinfo", 4096)
    if text is None:
        return None
    lines = [printable(line) for line in text.splitlines()[:3]]
    if len(lines) < 3 or not lines[0].replace(".", "").isdigit():
        return None
    return _finding(".discinfo", lines[1], lines[2])


def read_media_repo(tree: FileTree) -> Finding | None:
    """Read yum's ``media.repo``: ``name=`` holds the product's name and version."""
    text = tree.text("media.repo", 4096)
    if text is None:
        return None
    found = re.search(r"^name\s*=\s*(.+)$", text, re.MULTILINE)
    return _finding("media.repo", printable(found[1]), "") if found else None
