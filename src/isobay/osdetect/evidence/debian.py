"""``.disk/info`` and ``dists/*/Release``: what Debian, Ubuntu and their kin write (debian-cd, live-build, apt)."""

from __future__ import annotations

import re

from isobay.osdetect.architecture import architecture_in
from isobay.osdetect.evidence.filetree import FileTree
from isobay.osdetect.evidence.finding import Finding

__all__ = ["read_disk_info", "read_release", "ubuntu_variant"]

# name, version, what may stand between, the code name in quotes, then what kind of medium it is
INFO = re.compile(
    r"(?:Official |Unofficial )?(?P<name>\D+?)[ -]+(?P<version>\d[\w.~]*|testing|unstable|sid|rolling)\b"
    r"(?P<more>[^\"]{0,60})(?:\"(?P<codename>[^\"]{0,60})\")?(?P<rest>.*)",
    re.IGNORECASE,
)
FIELD = re.compile(r"^(Origin|Version|Codename|Architectures): *(\S.{0,200})$", re.MULTILINE)
CODENAMES = {
    "wheezy": "7",
    "jessie": "8",
    "stretch": "9",
    "buster": "10",
    "bullseye": "11",
    "bookworm": "12",
    "trixie": "13",
    "forky": "14",
    "duke": "15",
}
FLAVOURS = (
    "edubuntu",
    "kubuntu",
    "lubuntu",
    "mythbuntu",
    "xubuntu",
    "ubuntu-budgie",
    "ubuntu-cinnamon",
    "ubuntu-gnome",
    "ubuntu-kylin",
    "ubuntukylin",
    "ubuntu-mate",
    "ubuntu-server",
    "ubuntu-studio",
    "ubuntu-unity",
)
NAMES = (
    ("debian", "debian"),
    ("devuan", "devuan"),
    ("elementary", "elementary"),
    ("kali", "kali"),
    ("linux mint", "linuxmint"),
    ("lmde", "lmde"),
    ("pop_os", "popos"),
    ("pop!_os", "popos"),
    ("pop os", "popos"),
    ("pureos", "pureos"),
    ("trisquel", "trisquel"),
    ("buntu", "ubuntu"),
)


def _product(name: str) -> str:
    return next((key for start, key in NAMES if start in name), "")


def ubuntu_variant(name: str) -> str:
    """Return the variant that an edition's name stands for: libosinfo has ``desktop``, ``server``, ``edubuntu``."""
    hyphenated = "-".join(name.lower().replace("-", " ").split())
    if hyphenated == "ubuntu":
        return "desktop"
    flavour = next((flavour for flavour in FLAVOURS if hyphenated.startswith(flavour)), "")
    return "server" if flavour == "ubuntu-server" else flavour


def read_disk_info(tree: FileTree) -> Finding | None:
    """Read ``.disk/info``: ``Ubuntu-Server 24.04.1 LTS "Noble Numbat" - Release amd64 (20240827)``."""
    line = tree.line(".disk/info")
    found = INFO.match(line) if line else None
    if line is None or found is None:
        return None
    name = found["name"].strip().lower()
    product = _product(name)
    version = found["version"].lower()
    live = True if re.search(r"\blive\b", line, re.IGNORECASE) else None
    if product == "debian" and version in {"sid", "unstable"}:
        version = "unstable"
    return Finding(
        ".disk/info",
        f".disk/info reads: {line}",
        product=product,
        version=version,
        name=f"{found['name'].strip()} {found['version']}",
        architecture=architecture_in(found["rest"]) or architecture_in(line),
        variant=ubuntu_variant(name) if product == "ubuntu" else "",
        live=live,
    )


def read_release(tree: FileTree) -> Finding | None:
    """Read apt's ``dists/SUITE/Release``: Origin, Version or Codename, Architectures (Debian's repository format)."""
    for suite in sorted(tree.names("dists"))[:8]:
        text = tree.text(f"dists/{suite}/Release", 16384)
        if text is None:
            continue
        fields = dict(FIELD.findall(text))
        product = _product(fields.get("Origin", "").lower())
        version = fields.get("Version") or (
            CODENAMES.get(fields.get("Codename", "").strip().lower(), "") if product == "debian" else ""
        )
        if product and version:
            source = f"dists/{suite}/Release"
            words = [word for word in fields.get("Architectures", "").split() if word != "all"]
            return Finding(
                source,
                f"{source} names {fields['Origin'].strip()} {version.strip()}.",
                product=product,
                version=version.strip(),
                name=f"{fields['Origin'].strip()} {version.strip()}",
                architecture=architecture_in(words[0]) if len(words) == 1 else "",
                installer=True,
            )
    return None
