"""Every medium of the corpus gets its operating system."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

from isobay.osdetect import Detection, Medium, Rules, identify, load_rules
from isobay.osdetect.architecture import normalise
from replay.isodata import TO_ISO, Dump

# Microsoft gives these the same descriptor, but for the language, as their neighbours in the row.
SAME_DESCRIPTOR = [
    {"win10", "win11"},
    {"win2k16", "win2k19", "win2k22", "win2k25"},
]
# The corpus keeps these in a directory that is no short id; the rules know them by the short id.
OTHER_DIRECTORY = {"freenix": "freenix14.2", "hyperbola": "hyperbola03", "slem": "slem5.0"}
# Its text is that of the amd64 medium.
MISLABELLED = re.compile(r"openbsd-6\.6-i386-bootonly")
ARCHITECTURE = r"amd64|x86_64|i386|i586|i686|aarch64|arm64|ppc64le|ppc64el|s390x|riscv64"
# Media of Alpine Linux 3.17 by every field of theirs, kept in the directory of 3.18.
MISPLACED = re.compile(r"alpinelinux3\.18/alpine-\w+-3\.17\.")


class NoFiles:
    """The text of a medium has no files."""

    def names(self, path: str) -> list[str]:  # noqa: ARG002 -- the protocol's arguments, here and below
        """Return no name."""
        return []

    def read(self, path: str, limit: int) -> bytes | None:  # noqa: ARG002
        """Return no file."""
        return None

    def read_at(self, path: str, offset: int, size: int) -> bytes | None:  # noqa: ARG002
        """Return no file."""
        return None


def short_ids(detection: Detection) -> set[str]:
    """Return all short ids of the system that was found."""
    known = [match.system for match in detection.matches if match.system.os_id == detection.os_id]
    return {detection.short_id}.union(*(system.short_ids for system in known))


def expected(dump: Dump) -> str:
    """Return the short id that the medium should get."""
    if MISPLACED.search(dump.path):
        return "alpinelinux3.17"
    return OTHER_DIRECTORY.get(dump.expected[-1], dump.expected[-1])


def test_every_medium_gets_its_system(corpus: list[Dump], corpus_rules: Rules) -> None:
    """The right short id comes first, or is among the matches where the descriptors are the same."""
    wrong = []
    for dump in corpus:
        detection = identify(dump.medium, NoFiles(), corpus_rules)
        want = expected(dump)
        if want in short_ids(detection):
            continue
        candidates = {match.system.short_id for match in detection.matches}
        if not any({want, detection.short_id} <= same and want in candidates for same in SAME_DESCRIPTOR):
            wrong.append(f"{dump.path}: {detection.short_id or 'nothing'}")
    assert len(corpus) > 2000
    assert wrong == [], "\n".join(wrong)


def test_every_medium_gets_its_architecture(corpus: list[Dump], corpus_rules: Rules) -> None:
    """The architecture in a medium's file name is the one found, also where what boots must decide between rules."""
    wrong, compared = [], 0
    for dump in corpus:
        named = {normalise(word) for word in re.findall(ARCHITECTURE, Path(dump.path).name)}
        if len(named) == 1 and not MISLABELLED.search(dump.path):
            compared += 1
            medium = dataclasses.replace(dump.medium, boot_architectures=tuple(named))
            detection = identify(medium, NoFiles(), corpus_rules)
            if detection.architecture not in named:
                wrong.append(f"{dump.path}: {detection.architecture or 'nothing'}")
    assert compared > 1500
    assert wrong == [], "\n".join(wrong)


def test_rules_of_2022_and_labels_name_most(corpus: list[Dump]) -> None:
    """With Debian's old rules nineteen of twenty media still get their system, the new ones by their label."""
    rules = load_rules([Path("/usr/share/osinfo")])
    found = [expected(dump) in short_ids(identify(dump.medium, NoFiles(), rules)) for dump in corpus]
    assert sum(found) >= len(corpus) * 0.95


def test_osinfo_detect_says_the_same(corpus: list[Dump], tmp_path: Path) -> None:
    """libosinfo's own program, on the same rules and a sample of the media as images, names the same system."""
    rules = load_rules([Path("/usr/share/osinfo")])
    differ, compared = [], 0
    for dump in corpus[::60]:
        (tmp_path / "dump.txt").write_text(dump.text, encoding="utf-8")
        image = tmp_path / "medium.iso"
        subprocess.run([sys.executable, TO_ISO, tmp_path / "dump.txt", image, "--short"], check=True)
        ran = subprocess.run(["osinfo-detect", image], capture_output=True, text=True, check=True)
        theirs = re.search(r"for OS '(.*) \((\S+)\)'", ran.stdout)
        matches = rules.find(dump.medium)
        if theirs is None:
            if "is bootable" in ran.stdout and matches:
                differ.append(f"{dump.path}: nothing, {matches[0].system.name}")
            continue
        compared += 1
        names = {name for match in matches[:1] for name in (match.system.name, *match.system.variants.values())}
        if theirs[1] not in names or theirs[2] != matches[0].rule.architecture:
            differ.append(f"{dump.path}: {theirs[1]}, {sorted(names)}")
    assert compared > 15
    assert differ == []


def test_a_medium_without_any_identifier_is_nothing(corpus_rules: Rules) -> None:
    """An empty descriptor fits no rule: nothing is guessed."""
    assert identify(Medium(), NoFiles(), corpus_rules) == Detection()
