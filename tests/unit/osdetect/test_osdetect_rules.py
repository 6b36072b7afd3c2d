"""libosinfo's rules: where they lie, which file wins, what they match and in which order."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from isobay.errors import RulesError
from isobay.osdetect import Files, Medium, Rules, identify, load_rules, rules_directories

Database = Callable[..., Path]
A, B = "http://example.com/a/1", "http://example.com/b/1"


def media(arch: str = "x86_64", **fields: str) -> str:
    """Write a <media> with the given identifiers."""
    iso = "".join(f"<{name.replace('_', '-')}>{value}</{name.replace('_', '-')}>" for name, value in fields.items())
    return f'<media arch="{arch}"><iso>{iso}</iso></media>'


def short_ids(rules: Rules, medium: Medium) -> list[str]:
    """Name the systems that fit, best first."""
    return [match.system.os_id.split("/")[3] for match in rules.find(medium)]


def test_standard_places_come_in_libosinfo_order() -> None:
    """Without variables the places are the system's, the imported, the machine's and the user's."""
    found = rules_directories({"HOME": "/home/ann"}, Path("/var/lib/isobay/rules"))
    assert found == [
        Path("/usr/share/osinfo"),
        Path("/var/lib/isobay/rules"),
        Path("/etc/osinfo"),
        Path("/home/ann/.config/osinfo"),
    ]


def test_variables_move_the_places() -> None:
    """libosinfo's three variables and XDG_CONFIG_HOME are heeded."""
    environ = {"OSINFO_SYSTEM_DIR": "/s", "OSINFO_LOCAL_DIR": "/l", "OSINFO_USER_DIR": "/u"}
    assert rules_directories(environ) == [Path("/s"), Path("/l"), Path("/u")]
    assert rules_directories({"XDG_CONFIG_HOME": "/x"})[-1] == Path("/x/osinfo")


@pytest.mark.parametrize(("imported", "kept"), [("20260101", "imported"), ("20210101", "system")])
def test_the_newer_whole_database_stands_alone(database: Database, imported: str, kept: str) -> None:
    """Of two whole databases only the newer is used, so that renamed files do not stay beside their successors."""
    system = database("system", {"os/e/old.xml": (A, "")}, version="20221130")
    own = database("imported", {"os/e/new.xml": (B, "")}, version=imported)
    found = rules_directories({"OSINFO_SYSTEM_DIR": str(system)}, own)
    assert found[0].name == kept
    assert len(found) == 3


def test_a_file_takes_the_place_of_the_same_file_in_a_weaker_directory(database: Database) -> None:
    """A file with the same path replaces the weaker one, with what extends that."""
    weak = database(
        "weak",
        {
            "os/e/a.xml": (A, "<name>weak</name>" + media(volume_id="WEAK")),
            "os/e/a.d/more.xml": (A, media(volume_id="MORE")),
        },
    )
    strong = database("strong", {"os/e/a.xml": (A, "<name>strong</name>" + media(volume_id="STRONG"))})
    rules = load_rules([weak, strong])
    assert [system.name for system in rules.systems] == ["strong"]
    assert [rule.volume_id for rule in rules.media] == ["STRONG"]


def test_an_extension_adds_to_the_weaker_file(database: Database) -> None:
    """A file in NAME.d of a stronger directory adds its media to the system and leaves the rest."""
    weak = database("weak", {"os/e/a.xml": (A, "<name>weak</name>" + media(volume_id="WEAK"))})
    strong = database("strong", {"os/e/a.d/site.xml": (A, media(volume_id="SITE"))})
    rules = load_rules([weak, strong])
    assert [rule.volume_id for rule in rules.media] == ["WEAK", "SITE"]
    assert rules.systems[0].name == "weak"


def test_places_that_do_not_exist_hold_no_rules(tmp_path: Path) -> None:
    """A missing directory is no error and has no systems."""
    rules = load_rules([tmp_path / "nowhere"])
    assert rules.systems == ()
    assert rules.find(Medium("anything")) == []


def test_patterns_match_from_the_start_and_absent_ones_match_anything(database: Database) -> None:
    """A pattern is anchored at the start only; a rule without a pattern for a field does not look at it."""
    rules = load_rules([database("d", {"os/e/a.xml": (A, media(volume_id="Fedora-.*-35", system_id="LINUX"))})])
    assert short_ids(rules, Medium("Fedora-S-dvd-35-more", "LINUX", publisher_id="whoever")) == ["a"]
    assert short_ids(rules, Medium("XFedora-S-dvd-35", "LINUX")) == []
    assert short_ids(rules, Medium("Fedora-S-dvd-35", "")) == []


def test_alternatives_at_the_top_need_no_common_start(database: Database) -> None:
    """A pattern with alternatives matches each of them, also where the first one is plain text."""
    rules = load_rules([database("d", {"os/e/a.xml": (A, media(volume_id="AAA[|]x|BBB"))})])
    assert short_ids(rules, Medium("BBB-1")) == ["a"]
    assert short_ids(rules, Medium("CCC-1")) == []


@pytest.mark.parametrize(
    ("pattern", "fits", "not_these"),
    [
        ("(RHEL|EL)-8", ["RHEL-8", "EL-8-4"], ["CEL-8", "X EL-8"]),
        ("^SB*C", ["SC", "SBC-1"], ["BC", "XSC"]),
        (r"A\.B? x{1}$", ["A. x", "A.B x"], ["AxB x", "A.B xx"]),
        ("[SN]1|ZZ", ["S1", "ZZ-2"], ["1", "AZZ"]),
    ],
)
def test_the_shortcut_for_plain_text_changes_no_answer(
    database: Database, pattern: str, fits: list[str], not_these: list[str]
) -> None:
    """Groups, repeats, escapes and alternatives match what the regular expression says, from the start."""
    rules = load_rules([database("d", {"os/e/a.xml": (A, media(volume_id=pattern))})])
    assert [short_ids(rules, Medium(label)) for label in fits] == [["a"]] * len(fits)
    assert [short_ids(rules, Medium(label)) for label in not_these] == [[]] * len(not_these)


def test_a_size_must_be_equal(database: Database) -> None:
    """A rule with a volume size fits that size only, to the byte."""
    rules = load_rules([database("d", {"os/e/a.xml": (A, media(volume_id="V", volume_size="2048"))})])
    assert short_ids(rules, Medium("V", volume_size=2048)) == ["a"]
    assert short_ids(rules, Medium("V", volume_size=4096)) == []


def test_a_rule_that_asks_for_nothing_fits_nothing(database: Database) -> None:
    """An empty <iso> would fit every medium, so it is no rule."""
    rules = load_rules([database("d", {"os/e/a.xml": (A, media())})])
    assert rules.media == ()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (media(volume_id="LABEL-1"), media(volume_id="LABEL")),
        (media(volume_id="LABEL", volume_size="2048"), media(volume_id="LABEL")),
        (media(volume_id="LAB"), media("all", volume_id="LABEL-1")),
        (media(volume_id="LAB"), "<release-status>rolling</release-status>" + media(volume_id="LABEL-1")),
        ("<release-date>2024-01-01</release-date>" + media(volume_id="LAB"), media(volume_id="LAB")),
    ],
    ids=["longer volume id", "with a size", "before any architecture", "before rolling", "newer"],
)
def test_the_more_exact_rule_comes_first(database: Database, a: str, b: str) -> None:
    """Both systems are named, the one with the more exact rule before the other, in whatever order they were read."""
    medium = Medium("LABEL-1", volume_size=2048)
    for one, other in (("1", "2"), ("2", "1")):
        directory = database(f"d{one}", {f"os/e/{one}.xml": (A, a), f"os/e/{other}.xml": (B, b)})
        assert short_ids(load_rules([directory]), medium) == ["a", "b"]


def test_debian_rules_have_what_the_file_says(debian_rules: Rules) -> None:
    """A system of the packaged database carries its fields, resources and variants."""
    fedora = debian_rules.system("http://fedoraproject.org/fedora/36")
    assert fedora is not None
    assert (fedora.short_id, fedora.version, fedora.family, fedora.distro) == ("fedora36", "36", "linux", "fedora")
    assert fedora.derives_from == ("http://fedoraproject.org/fedora/35",)
    assert fedora.variants["workstation"].startswith("Fedora Workstation")
    assert fedora.resources["all"]["minimum"]["ram"] == 1 << 30
    match = debian_rules.find(Medium("Fedora-WS-Live-36-1-5", "LINUX"))[0]
    assert (match.system.short_id, match.rule.live, match.rule.architecture) == ("fedora36", True, "x86_64")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<libosinfo><os", "no XML"),
        (b"\xff\xfe\xfa", "cannot be read"),
        (b'<!DOCTYPE l [<!ENTITY a "a">]><libosinfo>&a;</libosinfo>', "document type"),
        (b'<l><os id="u"><short-id>s</short-id><media><iso><volume-id>(</volume-id></iso></media></os></l>', "pattern"),
        (b'<l><os id="u"><short-id>s</short-id><media><iso><volume-size>x</volume-size></iso></media></os></l>', "u:"),
        (b'<l><os id="u"><name>n</name></os></l>', "short-id"),
        (b"<l>" + b" " * (4 << 20) + b"</l>", "larger"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    """Whatever is wrong with a file of rules is a RulesError that says which file and what is wrong."""
    file = tmp_path / "os" / "e" / "bad.xml"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(RulesError) as caught:
        load_rules([tmp_path])
    assert str(file) in caught.value.message
    assert told in caught.value.message


def test_the_cache_gives_the_same_rules(tmp_path: Path, debian_rules: Rules) -> None:
    """Rules from the cache are those from the XML, and the XML is not read for them."""
    cache = tmp_path / "made" / "rules.json"
    first = load_rules([Path("/usr/share/osinfo")], cache)
    kept = cache.stat().st_ino
    again = load_rules([Path("/usr/share/osinfo")], cache)
    assert cache.stat().st_ino == kept
    assert first.systems == again.systems == debian_rules.systems
    assert first.media == again.media == debian_rules.media


def test_a_changed_file_is_read_again(database: Database, tmp_path: Path) -> None:
    """A change of a source, even one of the same length, makes the cache worthless."""
    directory, cache = database("d", {"os/e/a.xml": (A, "<name>one</name>")}), tmp_path / "cache"
    assert load_rules([directory], cache).systems[0].name == "one"
    file = directory / "os/e/a.xml"
    file.write_text(file.read_text().replace("one", "two"))
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 1))
    assert load_rules([directory], cache).systems[0].name == "two"
    file.unlink()
    assert load_rules([directory], cache).systems == ()


@pytest.mark.parametrize("damage", [b"", b"no cache at all\n{}", b"\x00\xff" * 100])
def test_a_damaged_cache_is_made_again(database: Database, tmp_path: Path, damage: bytes) -> None:
    """A cache that is not what was written is no error and no source of wrong rules."""
    directory, cache = database("d", {"os/e/a.xml": (A, "<name>one</name>")}), tmp_path / "cache"
    load_rules([directory], cache)
    whole = cache.read_bytes()
    for damaged in (damage, whole[:-20], whole.replace(b"one", b"two")):
        cache.write_bytes(damaged)
        assert load_rules([directory], cache).systems[0].name == "one"
        assert cache.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_error(database: Database, tmp_path: Path) -> None:
    """Where the cache has no place the rules are read all the same."""
    (tmp_path / "file").write_text("in the way")
    rules = load_rules([database("d", {"os/e/a.xml": (A, "<name>one</name>")})], tmp_path / "file" / "cache")
    assert rules.systems[0].name == "one"


def test_sources_and_version_tell_where_the_rules_come_from(database: Database) -> None:
    """Every directory is listed with its version and how many of its files count; the strongest version is the one."""
    old = database("old", {"os/e/a.xml": (A, ""), "os/e/b.xml": (B, "")}, version="20221130")
    new = database("new", {"os/e/a.xml": (A, "")}, version="20260517")
    rules = load_rules([old, new, old.parent / "none"])
    assert [(source.path.name, source.version, source.files) for source in rules.sources] == [
        ("old", "20221130", 1),
        ("new", "20260517", 1),
        ("none", "", 0),
    ]
    assert rules.version == "20260517"


@pytest.mark.parametrize(("boots", "chosen"), [((), "x86_64"), (("aarch64",), "aarch64"), (("riscv64",), "riscv64")])
def test_boot_images_choose_among_the_rules_of_one_system(
    database: Database, files: Callable[..., Files], boots: tuple[str, ...], chosen: str
) -> None:
    """Media of one system with one label for all processors get the rule, or at least the name, of what boots."""
    body = media("x86_64", volume_id="LIVE-1") + media("aarch64", volume_id="LIVE-1")
    rules = load_rules([database("d", {"os/e/a.xml": (A, body)})])
    assert identify(Medium("LIVE-1", boot_architectures=boots), files({}), rules).architecture == chosen
    assert len(rules.find(Medium("LIVE-1"))) == 1


@pytest.mark.parametrize(
    ("version", "fits"), [("10", True), ("10.1", True), ("100", False), ("1", False), ("X10", False), ("rc", True)]
)
def test_the_version_of_a_tree_is_matched_whole(database: Database, version: str, fits: bool) -> None:
    """A tree's pattern describes the version up to a dot; flags inside the pattern are no trouble."""
    body = "<tree><treeinfo><family>F</family><version>(?i)10|RC</version></treeinfo></tree>"
    rules = load_rules([database("d", {"os/e/a.xml": (A, body)})])
    assert bool(rules.find_tree("F", version, "", "")) is fits
