"""osinfo-db's XML → rows: what `entities` is made from and the cache keeps."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from isobay.errors import RulesError
from isobay.osdetect.entities import System
from isobay.osdetect.pattern import literal_prefix, problem_with

__all__ = ["LARGEST_FILE", "Rows", "parse_file"]

LARGEST_FILE = 4 << 20  # bytes; the largest of osinfo-db has 60 KiB

FIELD = {field.name: index for index, field in enumerate(dataclasses.fields(System))}
TEXTS = {
    "name": "name",
    "version": "version",
    "vendor": "vendor",
    "family": "family",
    "distro": "distro",
    "codename": "codename",
    "release-date": "release_date",
    "eol-date": "eol_date",
    "release-status": "release_status",
}
RELATIONS = {"derives-from": "derives_from", "upgrades": "upgrades", "clones": "clones"}
PATTERNS = ("volume-id", "system-id", "publisher-id", "application-id")


@dataclasses.dataclass(slots=True)
class Rows:
    """Everything read so far, as rows of JSON values: systems by id, media and trees in reading order."""

    systems: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    media: list[list[Any]] = dataclasses.field(default_factory=list)
    trees: list[list[Any]] = dataclasses.field(default_factory=list)


def parse_file(path: str, rows: Rows) -> None:
    """Add what the XML file ``path`` says to ``rows``: a system that is there already gets more, not replaced.

    Raises ``RulesError`` naming the file when it cannot be read, is no XML, declares a document type, or has a
    pattern that is no regular expression.
    """
    for os_element in _read(path).iter("os"):
        os_id = os_element.get("id") or ""
        if os_id:
            try:
                _add_system(os_element, os_id, rows)
            except ValueError as error:
                raise RulesError(f"The rules file {path} cannot be used, in {os_id}: {error}.", path=path) from error
    for row in rows.systems.values():
        if not row[FIELD["short_ids"]]:
            raise RulesError(f"The rules file {path} has an <os> without a <short-id>.", path=path)


def _read(path: str) -> ET.Element:
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"The rules file {path} cannot be read: {error}.", path=path) from error
    if len(data) > LARGEST_FILE:
        raise RulesError(f"The rules file {path} is larger than {LARGEST_FILE >> 20} MiB.", path=path)
    # osinfo-db never declares a document type, and only one can make a small file expand without bound.
    if "<!DOCTYPE" in text:
        raise RulesError(f"The rules file {path} declares a document type, which rules may not.", path=path)
    try:
        return ET.fromstring(text)  # noqa: S314 -- no document type, so no entities to expand or fetch
    except (ET.ParseError, ValueError) as error:
        raise RulesError(f"The rules file {path} is no XML that can be read: {error}.", path=path) from error


def _add_system(element: ET.Element, os_id: str, rows: Rows) -> None:
    row = rows.systems.get(os_id)
    if row is None:
        row = [os_id, [], *[""] * 9, [], [], [], {}, {}]
        rows.systems[os_id] = row
    for child in element:
        if child.tag == "short-id":
            if child.text and child.text not in row[FIELD["short_ids"]]:
                row[FIELD["short_ids"]].append(child.text)
        elif child.tag in TEXTS:
            row[FIELD[TEXTS[child.tag]]] = _text(child)
        elif child.tag in RELATIONS:
            row[FIELD[RELATIONS[child.tag]]].append(child.get("id", ""))
        elif child.tag == "variant":
            row[FIELD["variants"]][child.get("id", "")] = child.findtext("name") or ""
        elif child.tag == "resources":
            row[FIELD["resources"]].setdefault(child.get("arch") or "all", {}).update(_resources(child))
        elif child.tag == "media":
            rows.media.extend(_media(child, os_id))
        elif child.tag == "tree":
            rows.trees.extend(_tree(child, os_id))


def _text(element: ET.Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _pattern(parent: ET.Element, tag: str) -> str | None:
    pattern = parent.findtext(tag)
    if not pattern:
        return None
    problem = problem_with(pattern)
    if problem:
        raise ValueError(f"the pattern {pattern[:80]!r} of <{tag}> cannot be used: {problem}")
    return pattern


def _variants(element: ET.Element) -> list[str]:
    return [variant.get("id", "") for variant in element.findall("variant")]


def _media(element: ET.Element, os_id: str) -> Iterable[list[Any]]:
    iso = element.find("iso")
    if iso is None:
        return
    patterns = [_pattern(iso, tag) for tag in PATTERNS]
    size = int(_text(iso.find("volume-size")) or 0)
    # libosinfo: a medium that asks for nothing matches nothing.
    if size or any(patterns):
        yield [
            literal_prefix(patterns[0])[0] if patterns[0] else "",
            size,
            *patterns,
            os_id,
            element.get("arch") or "all",
            element.get("live") == "true",
            element.get("installer") != "false",
            _variants(element),
            _text(element.find("kernel")),
            _text(element.find("initrd")),
            int(element.get("installer-reboots") or 1),
        ]


def _tree(element: ET.Element, os_id: str) -> Iterable[list[Any]]:
    info = element.find("treeinfo")
    if info is None:
        return
    patterns = [_pattern(info, tag) for tag in ("family", "version", "variant", "arch")]
    if any(patterns):
        yield [os_id, element.get("arch") or "all", *patterns, _variants(element)]


def _resources(element: ET.Element) -> dict[str, dict[str, int]]:
    return {level.tag: {amount.tag: int(_text(amount)) for amount in level} for level in element}
