"""All readers of evidence, the most authoritative first."""

from __future__ import annotations

from isobay.osdetect.evidence.debian import read_disk_info, read_release
from isobay.osdetect.evidence.redhat import read_discinfo, read_media_repo
from isobay.osdetect.evidence.treeinfo import read_treeinfo

__all__ = ["READERS"]

READERS = (
    read_treeinfo,
    read_disk_info,
    read_discinfo,
    read_media_repo,
    read_release,
)
