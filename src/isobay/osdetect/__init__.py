"""Which operating system is on a medium: by libosinfo's rules and by the evidence inside the image."""

from __future__ import annotations

from isobay.osdetect.entities import MediaRule, System, TreeRule
from isobay.osdetect.locations import rules_directories
from isobay.osdetect.medium import Files, Medium
from isobay.osdetect.rules import Match, Rules, Source, load_rules

__all__ = [
    "Files",
    "Match",
    "MediaRule",
    "Medium",
    "Rules",
    "Source",
    "System",
    "TreeRule",
    "load_rules",
    "rules_directories",
]
