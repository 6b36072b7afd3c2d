"""All readers of evidence, the most authoritative first."""

from __future__ import annotations

from isobay.osdetect.evidence.debian import read_disk_info, read_release
from isobay.osdetect.evidence.redhat import read_discinfo, read_media_repo
from isobay.osdetect.evidence.releases import (
    read_alpine,
    read_arch,
    read_freebsd,
    read_netbsd,
    read_openbsd,
    read_proxmox,
    read_slackware,
)
from isobay.osdetect.evidence.suse import read_content, read_products
from isobay.osdetect.evidence.treeinfo import read_treeinfo
from isobay.osdetect.evidence.windows import read_windows

__all__ = ["READERS"]

READERS = (
    read_windows,
    read_proxmox,
    read_treeinfo,
    read_disk_info,
    read_products,
    read_content,
    read_alpine,
    read_arch,
    read_openbsd,
    read_freebsd,
    read_netbsd,
    read_slackware,
    read_discinfo,
    read_media_repo,
    read_release,
)
