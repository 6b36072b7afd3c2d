"""The operating system rules, for commands that need nothing else of the data directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from isobay.settings import Settings

if TYPE_CHECKING:  # loaded when a command runs
    from isobay.osdetect import Rules


def rules_in_use(settings: Settings, imported: Path | None) -> Rules:
    """Load the rules of the standard places and the imported ones, through a cache if one can be kept."""
    from isobay.osdetect import load_rules, rules_directories

    return load_rules(rules_directories(os.environ, imported), _cache(settings))


def _cache(settings: Settings) -> Path | None:
    """Where the rules, once read, are kept: beside the data if that may be written, else in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or f"{os.environ.get('HOME') or ''}/.cache"
    directory = settings.cache_dir if os.access(settings.data_dir, os.W_OK | os.X_OK) else Path(home) / "isobay"
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError:
        return None  # without a cache the rules are read anew, which costs time and nothing else
    return directory / "rules.cache"
