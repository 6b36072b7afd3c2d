"""What is true of an image: its structure and its operating system, in one report."""

from isobay.inspection.report import BootEntry, Report, System, inspect
from isobay.inspection.rules import RulesShelf

__all__ = ["BootEntry", "Report", "RulesShelf", "System", "inspect"]
