"""``.treeinfo``: what Fedora, Red Hat Enterprise Linux, their kin and SUSE 15+ write (productmd's treeinfo 1.x)."""

from __future__ import annotations

import configparser

from isobay.osdetect.architecture import normalise
from isobay.osdetect.evidence.filetree import FileTree, printable
from isobay.osdetect.evidence.finding import Finding
from isobay.osdetect.evidence.redhat import product_named

__all__ = ["read_treeinfo"]


def read_treeinfo(tree: FileTree) -> Finding | None:
    """Read ``.treeinfo`` or ``treeinfo``: ``[release]`` or ``[general]`` name the product, ``[tree]`` the rest."""
    for source in (".treeinfo", "treeinfo"):
        text = tree.text(source)
        if text:
            return _finding(source, text)
    return None


def _finding(source: str, text: str) -> Finding | None:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None

    def field(name: str, *sections: str) -> str:
        values = (parser.get(section, name, fallback="") for section in sections)
        return printable(next((value for value in values if value), ""))

    family = field("family", "general") or field("name", "release", "product")
    version = field("version", "release", "general", "product")
    variant = field("variant", "general")
    arch = field("arch", "tree", "general")
    name = field("name", "release", "general") or family
    if not family and not name:
        return None
    product = product_named(f"{name} {version}") or product_named(f"{family} {version}")
    if version.lower() == "rawhide" and product == "fedora":
        product = "fedora-rawhide"
    if product == "fedora" and "silverblue" in variant.lower():
        product = "silverblue"
    told = " ".join(part for part in (name, version if version not in name else "") if part)
    return Finding(
        source,
        f"{source} names {told}" + (f" for {arch}" if arch else "") + (f", variant {variant}" if variant else "") + ".",
        product=product,
        version=version,
        name=told,
        architecture=normalise(arch),
        variant=variant.lower(),
        installer=True if parser.has_section("stage2") else None,
        treeinfo=(family, version, variant, arch),
    )
