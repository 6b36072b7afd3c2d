"""Windows installation media: the images in ``sources/install.wim``, and smaller files that date the build.

Which build is which release: Microsoft's release information pages for Windows 10, Windows 11 and Windows Server.
"""

from __future__ import annotations

import re

from isobay.osdetect.architecture import normalise
from isobay.osdetect.evidence.filetree import FileTree
from isobay.osdetect.evidence.finding import Finding
from isobay.osdetect.evidence.wim import WimImage, read_images

__all__ = ["read_windows"]

FOLDERS = ("sources", "x64/sources", "x86/sources")
IMAGES = ("install.wim", "install.esd", "install.swm", "boot.wim")

# (version of the kernel, first build) → client, server; the last line that is not newer counts
RELEASES = (
    ((6, 0), 0, "vista", "2k8"),
    ((6, 1), 0, "7", "2k8r2"),
    ((6, 2), 0, "8", "2k12"),
    ((6, 3), 0, "8.1", "2k12r2"),
    ((10, 0), 0, "10", "2k16"),
    ((10, 0), 17763, "10", "2k19"),
    ((10, 0), 20348, "10", "2k22"),
    ((10, 0), 22000, "11", "2k22"),
    ((10, 0), 26100, "11", "2k25"),
)
# Microsoft's names of the branches that releases were built from → build
BRANCHES = {
    "win7": 7601,
    "win8": 9200,
    "winblue": 9600,
    "th1": 10240,
    "th2": 10586,
    "rs1": 14393,
    "rs2": 15063,
    "rs3": 16299,
    "rs4": 17134,
    "rs5": 17763,
    "19h1": 18362,
    "vb": 19041,
    "fe": 20348,
    "co": 22000,
    "ni": 22621,
    "zn": 25398,
    "ge": 26100,
}
KERNELS = ((10000, (10, 0)), (9600, (6, 3)), (9200, (6, 2)), (7600, (6, 1)), (6000, (6, 0)))


def read_windows(tree: FileTree) -> Finding | None:
    """Say which Windows the medium installs, from the strongest of its files that can be read."""
    for folder in FOLDERS:
        if not tree.exists(folder):
            continue
        for name in IMAGES:
            finding = _from_images(tree, f"{folder}/{name}")
            if finding is not None:
                return finding
        finding = _from_build_files(tree, folder)
        if finding is not None:
            return finding
    return None


def release_of(version: tuple[int, int], build: int, server: bool) -> str:
    """Return libosinfo's name of the Windows with this kernel, ``11`` or ``2k25``, or an empty text."""
    release = ""
    for kernel, first, client_name, server_name in RELEASES:
        if kernel == version and build >= first:
            release = server_name if server else client_name
    return release


def _from_images(tree: FileTree, path: str) -> Finding | None:
    images = [image for image in read_images(tree, path) if image.build]
    preferred = [image for image in images if image.installation.lower() != "windowspe"] or images
    if not preferred:
        return None
    image = preferred[0]
    setup_only = image.installation.lower() == "windowspe"
    server = _is_server(image, tree)
    editions = {each.edition for each in preferred}
    numbers = ".".join(map(str, (*image.version, image.build)))
    return Finding(
        path,
        f"{path} holds {image.name or 'Windows'}, build {numbers}"
        + (f", and {len(preferred) - 1} more" if len(preferred) > 1 else "")
        + ".",
        product="windows",
        version=release_of(image.version, image.build, server),
        server_version=release_of(image.version, image.build, server=True) if setup_only else "",
        name=image.name or "Windows",
        architecture=image.architecture,
        variant="" if setup_only or len(editions) != 1 else image.edition.lower(),
        live=False,
        installer=True,
    )


def _is_server(image: WimImage, tree: FileTree) -> bool:
    """Setup's own image (boot.wim) looks the same for both, so the edition file beside it is asked too."""
    if image.installation.lower() != "windowspe":
        return any("server" in text.lower() for text in (image.installation, image.edition, image.name))
    return bool(re.search(r"server", tree.text("sources/ei.cfg", 4096) or "", re.IGNORECASE)) or tree.exists(
        "support/adprep"
    )


def _from_build_files(tree: FileTree, folder: str) -> Finding | None:
    """``idwbinfo.txt`` names the branch and the architecture; ``cversion.ini`` the build that can be upgraded from."""
    source = f"{folder}/idwbinfo.txt"
    fields = {
        key.lower(): value.strip()
        for key, value in re.findall(r"^(Build\w+)\s*=\s*(\S{1,80})", tree.text(source, 4096) or "", re.MULTILINE)
    }
    branch = fields.get("buildbranch", "").lower()
    build = next((number for start, number in BRANCHES.items() if branch.startswith(start + "_")), 0)
    if not build:
        return None
    edition = tree.text(f"{folder}/ei.cfg", 4096) or ""
    server = "server" in edition.lower() or build in {20348, 25398} or tree.exists("support/adprep")
    kernel = next(version for first, version in KERNELS if build >= first)
    arch = fields.get("buildarch", "")
    return Finding(
        source,
        f"{source} names the branch {branch}" + (f" for {arch}." if arch else "."),
        product="windows",
        version=release_of(kernel, build, server),
        server_version="" if "editionid" in edition.lower() else release_of(kernel, build, server=True),
        name="Windows",
        architecture=normalise(arch),
        live=False,
        installer=True,
    )
