"""The rules of libosinfo's database: read once, kept in a cache file, asked which systems a medium fits."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobay.osdetect import cache as cache_file
from isobay.osdetect.entities import MediaRule, System, TreeRule
from isobay.osdetect.locations import RuleFile, database_version, winning_files
from isobay.osdetect.medium import Medium
from isobay.osdetect.parse import Rows, parse_file
from isobay.osdetect.pattern import matches, matches_version

__all__ = ["Match", "Rules", "Source", "load_rules"]


@dataclass(frozen=True, slots=True)
class Source:
    """A directory of rules: its version (``20260517``, or empty) and how many files of it count."""

    path: Path
    version: str
    files: int


@dataclass(frozen=True, slots=True)
class Match:
    """A system that a medium fits, and the rule that says so; ``others`` are weaker rules of the same system.

    A system may have one descriptor for the media of several architectures: then the others name those.
    """

    system: System
    rule: MediaRule
    others: tuple[MediaRule, ...] = ()

    @property
    def loose(self) -> bool:
        """Whether the rule says little: any architecture, a system without releases, or a stand-in for new ones."""
        return self.rule.architecture == "all" or self.system.rolling or self.system.placeholder


class Rules:
    """All operating systems that the rules know, and their media. Made by `load_rules`."""

    def __init__(self, systems: list[list[Any]], media: list[list[Any]], trees: list[list[Any]]) -> None:
        self._media = media
        self._trees = trees
        self._by_id = {row[0]: row for row in systems}
        self.sources: tuple[Source, ...] = ()

    @property
    def version(self) -> str:
        """The version of the strongest directory that has one, as osinfo-db writes it (``20260517``), or empty."""
        return next((source.version for source in reversed(self.sources) if source.version and source.files), "")

    @functools.cached_property
    def systems(self) -> tuple[System, ...]:
        """Every operating system, in the order of the files."""
        return tuple(System.from_row(row) for row in self._by_id.values())

    @functools.cached_property
    def media(self) -> tuple[MediaRule, ...]:
        """Every rule for a medium."""
        return tuple(MediaRule.from_row(row) for row in self._media)

    def system(self, os_id: str) -> System | None:
        """Return the system with this libosinfo id, or None."""
        row = self._by_id.get(os_id)
        return System.from_row(row) if row is not None else None

    def find(self, medium: Medium) -> list[Match]:
        """Return the systems that ``medium`` fits, best first, one match for each.

        As libosinfo does it: every pattern of a rule must match its field from the start, a size must be equal.
        Rules for one architecture of a system with releases come before the others; among them the one with the
        longer pattern for the volume id; then the one with a size; then the newer system.
        """
        volume_id, size = medium.volume_id, medium.volume_size
        rows = [row for row in self._media if volume_id.startswith(row[0]) and (not row[1] or row[1] == size)]
        fitting = [
            Match(System.from_row(self._by_id[row[6]]), MediaRule.from_row(row))
            for row in rows
            if matches(row[3], medium.system_id)
            and matches(row[4], medium.publisher_id)
            and matches(row[5], medium.application_id)
            and matches(row[2], volume_id)
        ]
        fitting.sort(key=lambda match: match.system.release_date, reverse=True)
        fitting.sort(key=_rank)
        found: dict[str, list[Match]] = {}
        for match in fitting:
            found.setdefault(match.system.os_id, []).append(match)
        return [Match(same[0].system, same[0].rule, tuple(match.rule for match in same[1:])) for same in found.values()]

    def find_tree(self, family: str, version: str, variant: str, arch: str) -> list[tuple[System, TreeRule]]:
        """Return the systems that the fields of a ``.treeinfo`` fit, the more demanding rules first."""
        fitting = [
            rule
            for rule in map(TreeRule.from_row, self._trees)
            if matches(rule.family, family)
            and matches_version(rule.version, version)
            and matches(rule.variant, variant)
            and matches(rule.arch, arch)
        ]
        fitting.sort(key=lambda rule: -sum(len(part or "") for part in (rule.family, rule.variant, rule.version)))
        pairs = [(System.from_row(self._by_id[rule.os_id]), rule) for rule in fitting]
        pairs.sort(key=lambda pair: pair[0].placeholder or pair[0].rolling)
        return pairs


def _rank(match: Match) -> tuple[bool, int, bool]:
    return match.loose, -len(match.rule.volume_id or ""), not match.rule.volume_size


def load_rules(directories: Sequence[Path], cache: Path | None = None) -> Rules:
    """Read the rules of ``directories``, weakest first; a directory that does not exist holds none.

    With ``cache``, a file, the XML is read only when a source has changed since the file was written; a cache
    that is damaged or cannot be written costs time, nothing else. Raises ``RulesError``.
    """
    files = winning_files(directories)
    fingerprint = cache_file.fingerprint(directories, files)
    kept = cache_file.read(cache, fingerprint) if cache is not None else None
    if kept is None:
        kept = _parse(files)
        if cache is not None:
            cache_file.write(cache, fingerprint, kept)
    rules = Rules(kept["systems"], kept["media"], kept["trees"])
    rules.sources = tuple(
        Source(directory, database_version(directory), len(found))
        for directory, found in zip(directories, files, strict=True)
    )
    return rules


def _parse(files: list[list[RuleFile]]) -> cache_file.Tables:
    rows = Rows()
    for found in files:
        for file in found:
            parse_file(file.path, rows)
    return {"systems": list(rows.systems.values()), "media": rows.media, "trees": rows.trees}
