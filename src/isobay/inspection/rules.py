"""The operating system rules in use: read once, and again when they change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from time import monotonic

from isobay.errors import RulesError
from isobay.osdetect import Rules, load_rules, rules_directories

RECHECK_SECONDS = 10.0


class RulesShelf:
    """Gives the rules of libosinfo's standard places and of isobay's own imports."""

    def __init__(self, imported: Path, cache_dir: Path, environ: Mapping[str, str] | None = None) -> None:
        self.imported = imported
        self._cache = cache_dir / "rules.cache"
        self._environ = os.environ if environ is None else environ
        self._lock = Lock()
        self._rules: Rules | None = None
        self._checked = 0.0

    @property
    def directories(self) -> list[Path]:
        """Where rules are looked for, the last wins."""
        return rules_directories(self._environ, self.imported)

    def rules(self) -> Rules:
        """The rules now. Raises RulesError where a file cannot be read."""
        with self._lock:
            now = monotonic()
            if self._rules is None or now - self._checked > RECHECK_SECONDS:
                self._cache.parent.mkdir(parents=True, exist_ok=True)
                self._rules = self._load()
                self._checked = now
            return self._rules

    def _load(self) -> Rules:
        try:
            return load_rules(self.directories, self._cache)
        except RulesError as error:
            raise RulesError(
                error.message,
                public="The operating system rules cannot be read. Ask whoever runs isobay: its log says why.",
            ) from error
