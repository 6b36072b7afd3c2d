"""Which operating system is on a medium: by libosinfo's rules and by the evidence inside the image."""

from __future__ import annotations

from isobay.osdetect.entities import MediaRule, System, TreeRule
from isobay.osdetect.identify import Detection, identify
from isobay.osdetect.importing import import_rules
from isobay.osdetect.locations import rules_directories
from isobay.osdetect.medium import Files, Medium
from isobay.osdetect.ostypes import GENERIC_NAMES, OsType, os_type_id, os_types
from isobay.osdetect.resources import Resources, resources_of
from isobay.osdetect.rules import Match, Rules, Source, load_rules

__all__ = [
    "GENERIC_NAMES",
    "Detection",
    "Files",
    "Match",
    "MediaRule",
    "Medium",
    "OsType",
    "Resources",
    "Rules",
    "Source",
    "System",
    "TreeRule",
    "identify",
    "import_rules",
    "load_rules",
    "os_type_id",
    "os_types",
    "resources_of",
    "rules_directories",
]
