"""Where the live systems of the distributions keep themselves."""

from __future__ import annotations

from isobay.osdetect.evidence.filetree import FileTree
from isobay.osdetect.evidence.finding import Finding

__all__ = ["read_live_layout"]

# path → who boots from there. Anaconda's own system may lie in LiveOS too; .treeinfo then calls it the main image.
LAYOUTS = (
    ("casper/filesystem.squashfs", "Ubuntu's casper"),
    ("casper/minimal.squashfs", "Ubuntu's casper"),
    ("live/filesystem.squashfs", "Debian's live-boot"),
    ("arch/x86_64/airootfs.sfs", "Arch Linux's archiso"),
    ("manjaro/x86_64/livefs.sfs", "Manjaro's miso"),
    ("nix-store.squashfs", "NixOS"),
    ("image.squashfs", "Gentoo's catalyst"),
    ("LiveOS/squashfs.img", "dracut's dmsquash-live"),
    ("LiveOS/rootfs.img", "dracut's dmsquash-live"),
)


def read_live_layout(tree: FileTree) -> Finding | None:
    """Say whether the medium has the root file system of a live system."""
    for path, who in LAYOUTS:
        if tree.exists(path):
            if path.startswith("LiveOS/") and "mainimage" in (tree.text(".treeinfo") or ""):
                return None
            return Finding(path, f"{path} is the live system of {who}.", live=True)
    return None
