"""Products that write their name and version into the volume id: the weakest evidence, for releases without rules."""

from __future__ import annotations

import re

from isobay.osdetect.architecture import architecture_in
from isobay.osdetect.evidence.debian import ubuntu_variant
from isobay.osdetect.evidence.filetree import printable
from isobay.osdetect.evidence.finding import Finding
from isobay.osdetect.medium import Medium

__all__ = ["read_volume_label"]

# How the distributions label their media: product, then a pattern with the version.
LABELS = tuple(
    (product, re.compile(pattern, re.IGNORECASE))
    for product, pattern in (
        ("almalinux-kitten", r"AlmaLinux-Kitten-(?P<v>\d+)"),
        ("almalinux", r"AlmaLinux-(?P<v>\d+([-.]\d+)?)"),
        ("alpine", r"alpine-\w+ (?P<v>\d+\.\d+)"),
        ("anolis", r"Anolis(OS|-OS)?-(?P<v>\d+\.\d+)"),
        ("centos-stream", r"CentOS-Stream-(?P<v>\d+)"),
        ("centos", r"CentOS[- ](?P<v>\d+([-.]\d+)?)"),
        ("debian", r"Debian (?P<v>\d+(\.\d+)*) "),
        ("fedora", r"Fedora-(?:[A-Za-z_]+-)*(?:(?:x86_64|aarch64|ppc64le|s390x|dvd|ostree)-)*(?P<v>\d{2})\b"),
        ("freebsd", r"(?P<v>\d+_\d)_RELEASE_"),
        ("mageia", r"Mageia-(?P<v>\d+)-"),
        ("nixos", r"nixos-(?:\w+-)*(?P<v>\d\d\.\d\d)"),
        ("openbsd", r"OpenBSD[/ ]\w+ +(?P<v>\d\.\d) Install"),
        ("opensuse", r"openSUSE-Leap-(?P<v>\d+\.\d)"),
        ("oracle", r"OL-(?P<v>\d+-\d+)-"),
        ("popos", r"Pop_OS (?P<v>\d\d\.\d\d)"),
        ("rhel", r"RHEL-(?P<v>\d+[-.]\d+)"),
        ("rocky", r"Rocky-(?:[A-Za-z]+-)*(?P<v>\d+([-.]\d+)?)"),
        ("sle", r"SLE-(?P<v>15-SP\d)-"),
        ("slem", r"SUSE-MicroOS-(?P<v>\d\.\d)-"),
        ("slem", r"SLE-Micro-(?P<v>\d\.\d)-"),
        ("sles", r"SLES-(?P<v>1[6-9]\.\d)"),
        ("ubuntu", r"(?P<flavour>[A-Za-z]*buntu(-[A-Za-z]+)?)[- ](?P<v>\d\d\.\d\d)"),
    )
)


def read_volume_label(medium: Medium) -> Finding | None:
    """Return the product that the volume id names."""
    for product, pattern in LABELS:
        found = pattern.match(medium.volume_id)
        if found is not None:
            flavour = found.groupdict().get("flavour") or ""
            label = printable(medium.volume_id)
            return Finding(
                "volume id",
                f"The volume id “{label}” is one that this product writes.",
                product=product,
                version=re.sub(r"[-_](?:SP)?", ".", found["v"], flags=re.IGNORECASE),
                architecture=architecture_in(label),
                variant=ubuntu_variant(flavour),
                live=True if re.search(r"\blive\b", label, re.IGNORECASE) else None,
            )
    return None
