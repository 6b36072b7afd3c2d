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
        ("alt", r"ALT (?:[A-Za-z]+ ){0,3}(?P<v>\d+\.\d)"),
        ("alt-starterkits", r"ALT (?P<v>p\d+) "),
        ("anolis", r"Anolis(OS|-OS)?-(?P<v>\d+\.\d+)"),
        ("arch", r"ARCH_(?P<v>20\d{4})$"),
        ("centos-stream", r"CentOS-Stream-(?P<v>\d+)"),
        ("centos", r"CentOS[- ](?P<v>\d+([-.]\d+)?)"),
        ("debian", r"(Debian|d-live) (?P<v>\d+(\.\d+)*|testing) "),
        ("eos", r"Endless-OS-(?P<v>\d-\d)-"),
        ("eurolinux", r"EL-(?P<v>\d+-\d+)-"),
        ("silverblue", r"Fedora-(SB|Silverblue)-ostree-\w+-(?P<v>\d{2})$"),
        ("fedora", r"Fedora-(?:[A-Za-z_]+-)*(?:(?:x86_64|aarch64|ppc64le|s390x)-)*(?P<v>\d{2})\b"),
        ("freebsd", r"(?P<v>\d+_\d)_RELEASE_"),
        ("gentoo", r"gentoo-(?P<v>\w+)-"),
        ("mageia", r"Mageia-(?P<v>\d+)-"),
        ("netbsd", r"NETBSD_(?P<v>\d+\d)$"),
        ("nixos", r"nixos-(?:\w+-)*(?P<v>\d\d\.\d\d)"),
        ("openbsd", r"OpenBSD[/ ]\w+ +(?P<v>\d\.\d) "),
        ("opensuse", r"(openSUSE|Install)[-_]Leap[-_](?P<v>\d+\.\d)"),
        ("opensuse", r"openSUSE[-_](?P<v>Tumbleweed|MicroOS)\b"),
        ("oracle", r"OL-(?P<v>\d+-\d+)-"),
        ("popos", r"Pop_OS (?P<v>\d\d\.\d\d)"),
        ("pureos", r"PureOS (?P<v>\d+)"),
        ("rhel", r"RHEL-(?P<v>\d+[-.]\d+)"),
        ("rocky", r"Rocky-(?:[A-Za-z]+-)*(?P<v>\d+([-.]\d+)?)"),
        ("slackware", r"S(lack)?(?P<v>\d+[._]\d+)d\d$"),
        ("sle", r"SLE-(?P<v>15-SP\d)-"),
        ("slem", r"(SUSE-MicroOS|SLE-Micro)-(?P<v>\d\.\d)-"),
        ("sles", r"SLES-(?P<v>1[6-9]\.\d)"),
        ("solus", r"Solus(?P<v>Live)"),
        ("trisquel", r"(trisquel|triskel|sugar-toast|trisquel-mini) (?P<v>\d+)"),
        ("ubuntu", r"(?P<flavour>[A-Za-z]*buntu(-[A-Za-z]+)?)[- ](?P<v>\d\d\.\d\d)"),
    )
)


def read_volume_label(medium: Medium) -> Finding | None:
    """Return the product that the volume id names."""
    for product, pattern in LABELS:
        found = pattern.match(medium.volume_id)
        if found is not None:
            version = re.sub(r"[-_](?:SP)?", ".", found["v"], flags=re.IGNORECASE).lower()
            if product == "netbsd":
                version = f"{version[:-1]}.{version[-1]}"
            flavour = found.groupdict().get("flavour") or ""
            label = printable(medium.volume_id)
            return Finding(
                "volume id",
                f"The volume id “{label}” is one that this product writes.",
                product=product,
                version=version,
                architecture=architecture_in(label) or architecture_in(medium.application_id),
                variant=ubuntu_variant(flavour),
                live=True if re.search(r"\blive\b", label, re.IGNORECASE) else None,
            )
    return None
