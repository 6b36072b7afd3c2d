"""SUSE's media: ``media.1/products``, ``media.1/media`` and the older ``content`` (YaST's repository formats)."""

from __future__ import annotations

import re

from isobay.osdetect.architecture import architecture_in
from isobay.osdetect.evidence.filetree import FileTree, printable
from isobay.osdetect.evidence.finding import Finding

__all__ = ["read_content", "read_products"]

PRODUCT = re.compile(r"^/\s+(?P<name>[\w.:-]{1,80})\s+(?P<version>[\w.-]{1,30})", re.MULTILINE)
CONTENT = re.compile(r"^(NAME|VERSION|DISTRO|LABEL|DISTRIBUTION|PRODUCT)\s+(.{1,200})$", re.MULTILINE)
# cpe:/o:suse:sles:12:sp5 and the like (NIST IR 7695, URI binding)
CPE = re.compile(r"cpe:/o:(?:suse|opensuse|novell):(?P<name>[\w-]+):(?P<version>[\d.]+)(?::sp(?P<pack>\d))?")
NAMES = (
    ("opensuse-tumbleweed", "tumbleweed"),
    ("opensuse-microos", "microos"),
    ("opensuse", "opensuse"),
    ("leap", "opensuse"),
    ("sle-micro", "slem"),
    ("suse-microos", "slem"),
    ("sl-micro", "slem"),
    ("suse_sles", "sles"),
    ("suse_sled", "sled"),
    ("sles", "sles"),
    ("sled", "sled"),
    ("sle", "sle"),
)


def _product(name: str, version: str) -> tuple[str, str]:
    """Return the product's key and the version: the service pack after a dot, as libosinfo counts it."""
    key = next((key for start, key in NAMES if name.lower().startswith(start)), "")
    version = re.sub(r"-(?:sp)?(?=\d)", ".", version.lower(), count=1)
    version = re.sub(r"[^\d.].*$", "", version)
    if key in {"tumbleweed", "microos"}:
        return "opensuse", key
    # One medium for all the products of SUSE Linux Enterprise 15; libosinfo calls that one sle.
    if key in {"sles", "sled"} and version.partition(".")[0] == "15":
        return "sle", version
    return key, version


def _finding(source: str, name: str, written: str, medium: str) -> Finding:
    key, version = _product(name, written)
    return Finding(
        source,
        f"{source} names {printable(name)} {printable(written)}.",
        product=key,
        version=version,
        name=f"{printable(name)} {printable(written)}",
        architecture=architecture_in(medium),
        installer=True,
    )


def read_products(tree: FileTree) -> Finding | None:
    """Read ``media.1/products``, ``/ SLES 15.5-0``, with the architecture of ``media.1/media``."""
    found = PRODUCT.search(tree.text("media.1/products", 4096) or "")
    if found is None:
        return None
    name, version = found["name"], re.sub(r"-\d+$", "", found["version"])
    return _finding("media.1/products", name, version, tree.text("media.1/media", 4096) or "")


def read_content(tree: FileTree) -> Finding | None:
    """Read ``content``, the index of openSUSE up to 13 and SUSE Linux Enterprise up to 12."""
    text = tree.text("content")
    if text is None:
        return None
    fields = dict(CONTENT.findall(text))
    cpe = CPE.search(fields.get("DISTRO", ""))
    if cpe is not None:
        version = cpe["version"] + (f".{cpe['pack']}" if cpe["pack"] else "")
        return _finding("content", cpe["name"], version, "")
    name, version = fields.get("NAME") or fields.get("PRODUCT"), fields.get("VERSION")
    return _finding("content", name.strip(), version.strip(), "") if name and version else None
