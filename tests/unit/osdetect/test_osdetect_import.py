"""Bringing in rules: what is taken, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from isobay.errors import RulesError
from isobay.osdetect import import_rules, load_rules

GOOD = b'<libosinfo><os id="http://example.com/a/1"><short-id>a1</short-id><name>A 1</name></os></libosinfo>'


def tar(files: Mapping[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """Write a tar archive with these files, and members that are no files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in others:
            archive.addfile(member)
    return out.getvalue()


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Make a member that is a link or a device."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


def everything_below(directory: Path) -> set[str]:
    """Name what is in a directory, through its link."""
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Name a target that has rules already."""
    archive = tmp_path / "before.tar"
    archive.write_bytes(tar({"osinfo-db-1/VERSION": b"1", "osinfo-db-1/os/e/before.xml": GOOD}))
    import_rules(archive, tmp_path / "data" / "rules")
    return tmp_path / "data" / "rules"


@pytest.mark.parametrize("pack", [bytes, lzma.compress, gzip.compress], ids=["tar", "xz", "gz"])
def test_an_archive_takes_the_place_of_the_rules(tmp_path: Path, target: Path, pack: Callable[[bytes], bytes]) -> None:
    """The rules of an archive replace those before, whole, and nothing else stays beside them."""
    archive = tmp_path / "after"
    archive.write_bytes(pack(tar({"osinfo-db-2/VERSION": b"20260517", "osinfo-db-2/os/e/after.xml": GOOD})))
    rules = import_rules(archive, target)
    assert (rules.version, [system.short_id for system in rules.systems]) == ("20260517", ["a1"])
    assert everything_below(target) == {"VERSION", "os/e/after.xml"}
    assert len(list(target.parent.iterdir())) == 2


def test_a_directory_is_taken_too(target: Path) -> None:
    """An unpacked database, as a distribution has it, can be imported."""
    rules = import_rules(Path("/usr/share/osinfo"), target)
    assert len(rules.systems) > 500
    assert rules.version == load_rules([Path("/usr/share/osinfo")]).version


def test_only_the_folders_of_the_database_are_taken(tmp_path: Path, target: Path) -> None:
    """Programs, links and files that osinfo-db does not have are left out; what a link points to is not read."""
    archive = tmp_path / "mixed.tar"
    archive.write_bytes(
        tar(
            {
                "osinfo-db-2/os/e/a.xml": GOOD,
                "osinfo-db-2/os/e/run.sh": b"#!/bin/sh",
                "osinfo-db-2/bin/tool.xml": b"<x/>",
                "osinfo-db-2/schema/osinfo.rng": b"<x/>",
            },
            link("osinfo-db-2/os/e/link.xml", "/etc/passwd"),
            link("osinfo-db-2/os/e/hard.xml", "osinfo-db-2/os/e/a.xml", tarfile.LNKTYPE),
            link("osinfo-db-2/os/e/device.xml", "", tarfile.CHRTYPE),
        )
    )
    import_rules(archive, target)
    assert everything_below(target) == {"os/e/a.xml", "schema/osinfo.rng"}


def test_links_in_a_directory_are_not_followed(tmp_path: Path, target: Path) -> None:
    """A symbolic link in a directory to import is left out."""
    source = tmp_path / "source"
    (source / "os" / "e").mkdir(parents=True)
    (source / "os" / "e" / "a.xml").write_bytes(GOOD)
    (source / "os" / "e" / "b.xml").symlink_to("/etc/passwd")
    import_rules(source, target)
    assert everything_below(target) == {"os/e/a.xml"}


REFUSED: dict[str, Callable[[], bytes]] = {
    "path upwards": lambda: tar({"osinfo-db/os/e/a.xml": GOOD, "osinfo-db/os/../../../evil.xml": GOOD}),
    "absolute path": lambda: tar({"osinfo-db/os/e/a.xml": GOOD, "/tmp/evil.xml": GOOD}),  # noqa: S108 -- it must not be written
    "no rules": lambda: tar({"photos/cat.jpg": b"meow"}),
    "rules of no system": lambda: tar({"osinfo-db/os/e/a.xml": b"<libosinfo/>"}),
    "bad rules": lambda: tar({"osinfo-db/os/e/a.xml": GOOD, "osinfo-db/os/e/b.xml": b"<libosinfo>"}),
    "document type": lambda: tar({"osinfo-db/os/e/b.xml": b'<!DOCTYPE l [<!ENTITY a "x">]>' + GOOD}),
    "one large file": lambda: lzma.compress(
        tar({"osinfo-db/os/e/a.xml": GOOD, "osinfo-db/os/e/b.xml": bytes(5 << 20)})
    ),
    "bomb": lambda: lzma.compress(tar({"osinfo-db/os/e/a.xml": GOOD, "osinfo-db/x.bin": bytes(200 << 20)}), preset=0),
    "gzip bomb": lambda: gzip.compress(tar({"osinfo-db/os/e/a.xml": GOOD, "osinfo-db/x.bin": bytes(200 << 20)}), 1),
    "too many": lambda: lzma.compress(
        tar({"osinfo-db/os/e/a.xml": GOOD, **{f"x/{n}": b"" for n in range(50_001)}}), preset=0
    ),
    "no archive": lambda: b"<html><body>404 Not Found</body></html>" * 100,
    "empty": lambda: b"",
    "cut short": lambda: lzma.compress(tar({"osinfo-db/os/e/a.xml": GOOD * 100}))[:-40],
    "cut short gzip": lambda: gzip.compress(tar({"osinfo-db/os/e/a.xml": GOOD * 100}))[:-20],
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_archive_changes_nothing(tmp_path: Path, target: Path, make: Callable[[], bytes]) -> None:
    """An archive that cannot be used is a RulesError that names it, and the rules before are still there, alone."""
    archive = tmp_path / "bad.tar"
    archive.write_bytes(make())
    with pytest.raises(RulesError) as caught:
        import_rules(archive, target)
    assert caught.value.message.endswith(".")
    assert everything_below(target) == {"VERSION", "os/e/before.xml"}
    assert len(list(target.parent.iterdir())) == 2
    assert not list(tmp_path.rglob("evil.xml"))


def test_a_missing_archive_is_told(tmp_path: Path, target: Path) -> None:
    """A path that names nothing is a RulesError with that path."""
    with pytest.raises(RulesError, match=r"nowhere\.tar"):
        import_rules(tmp_path / "nowhere.tar", target)
    assert everything_below(target) == {"VERSION", "os/e/before.xml"}


def test_the_rules_are_never_missing_while_they_are_exchanged(tmp_path: Path, target: Path) -> None:
    """The target is a link that is exchanged in one step: what it pointed to before is whole until then."""
    before = target.resolve()
    archive = tmp_path / "after.tar"
    archive.write_bytes(tar({"osinfo-db-2/os/e/after.xml": GOOD}))
    assert target.is_symlink()
    import_rules(archive, target)
    assert target.resolve() != before
    assert not before.exists()
