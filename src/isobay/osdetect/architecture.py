"""Names of processor architectures, as the vendors write them → as libosinfo does."""

from __future__ import annotations

import re

__all__ = ["architecture_in", "normalise"]

NAMES = {
    "amd64": "x86_64",
    "x64": "x86_64",
    "x86_64": "x86_64",
    "x86-64": "x86_64",
    "em64t": "x86_64",
    "x86": "i686",
    "i386": "i686",
    "i486": "i686",
    "i586": "i686",
    "i686": "i686",
    "arm64": "aarch64",
    "aarch64": "aarch64",
    "armhf": "armv7l",
    "armv7": "armv7l",
    "armv7l": "armv7l",
    "armv7hl": "armv7l",
    "armhfp": "armv7l",
    "armel": "armv6l",
    "ppc64el": "ppc64le",
    "ppc64le": "ppc64le",
    "powerpc64le": "ppc64le",
    "ppc64": "ppc64",
    "ppc": "ppc",
    "powerpc": "ppc",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "s390": "s390",
    "ia64": "ia64",
    "loong64": "loongarch64",
    "loongarch64": "loongarch64",
    "sparc64": "sparc64",
    "mips64el": "mips64el",
    "alpha": "alpha",
    "hppa": "parisc",
}
WORD = re.compile(r"[a-z0-9]+(?:[_-]64)?")


def normalise(name: str) -> str:
    """Return libosinfo's name for ``name``, or an empty text when it is no architecture: ``amd64`` → ``x86_64``."""
    return NAMES.get(name.strip().lower(), "")


def architecture_in(text: str) -> str:
    """Return the first architecture that is a word of ``text``, in libosinfo's spelling, or an empty text."""
    for word in WORD.findall(text.lower()):
        if word in NAMES:
            return NAMES[word]
    return ""
