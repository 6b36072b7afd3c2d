"""Bytes that nobody meant: no image and no file of rules may do more than give no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isobay.errors import RulesError
from isobay.osdetect import Detection, Files, Medium, Rules, identify, load_rules

MakeFiles = Callable[[Mapping[str, bytes | str]], Files]
PATHS = [
    ".treeinfo",
    ".disk/info",
    ".discinfo",
    "media.repo",
    "dists/x/Release",
    "media.1/products",
    "media.1/media",
    "content",
    ".alpine-release",
    "arch/version",
    "7.8/amd64/bsd.rd",
    "bin/freebsd-version",
    "etc/release",
    "ANNOUNCE.15_0",
    ".cd-info",
    "sources/install.wim",
    "sources/idwbinfo.txt",
    "sources/ei.cfg",
    "LiveOS/squashfs.img",
]
WORDS = [
    *(
        "[general]\n",
        "[release]\n",
        "[tree]\n",
        "family = ",
        "version = ",
        "arch = ",
        "name = ",
        "=",
        ":",
        "%(x)s",
        "\n",
    ),
    *("Debian ", "GNU/Linux ", "Ubuntu", "Fedora", "SLES ", "12.5.0", "testing", '"', " - ", "amd64", "\0", "\r", "/ "),
    *("Origin: ", "Version: ", "BuildBranch=", "ge_release", "USERLAND_VERSION=", "{}", "{0.__class__}", "٣", "9" * 50),
    *("NetBSD ", "/amd64", "cpe:/o:suse:sles:", "RELEASE='", "MSWIM\0\0\0", "<IMAGE>", "</IMAGE>", "9999999999.1"),
]
CONTENT = st.one_of(st.binary(max_size=400), st.lists(st.sampled_from(WORDS), max_size=30).map("".join))
FIELD = st.one_of(st.text(max_size=128), st.lists(st.sampled_from(WORDS), max_size=10).map("".join))


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.dictionaries(st.sampled_from(PATHS), CONTENT, max_size=6), fields=st.tuples(FIELD, FIELD, FIELD, FIELD)
)
def test_no_image_makes_it_fail(
    files: MakeFiles, debian_rules: Rules, content: dict[str, bytes | str], fields: tuple[str, str, str, str]
) -> None:
    """Whatever the files and the descriptor hold, there is an answer, of bounded length and fit to be shown."""
    image = files(content)
    detection = identify(Medium(*fields, volume_size=2048), image, debian_rules)
    shown = (detection.os_id, detection.short_id, detection.name, detection.version, detection.variant)
    assert isinstance(detection, Detection)
    assert all(text.isprintable() and len(text) < 500 for text in shown)
    assert all(text.isprintable() and len(text) < 5000 for text in detection.evidence)
    assert image.most_asked <= 256 << 10  # type: ignore[attr-defined] # the tests' own files note it


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(xml=st.binary(max_size=600), header=st.binary(min_size=24, max_size=24))
def test_no_wim_makes_it_fail(files: MakeFiles, no_rules: Rules, xml: bytes, header: bytes) -> None:
    """Whatever a WIM file's header and XML hold, there is an answer."""
    whole = bytearray(b"MSWIM\0\0\0".ljust(0xD0, b"\0") + xml)
    whole[0x48:0x60] = header
    assert identify(Medium(), files({"sources/boot.wim": bytes(whole)}), no_rules).os_id == ""
    whole[0x48:0x60] = len(xml).to_bytes(8, "little") + (0xD0).to_bytes(8, "little") + bytes(8)
    assert not identify(Medium(), files({"sources/boot.wim": bytes(whole)}), no_rules).live


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=600), at=st.integers(0, 4000), many=st.integers(0, 200))
def test_no_rules_file_raises_another_error(tmp_path: Path, data: bytes, at: int, many: int) -> None:
    """A damaged copy of a real file of rules is read, or is a RulesError; it is never another error."""
    whole = Path("/usr/share/osinfo/os/fedoraproject.org/fedora-36.xml").read_bytes()
    file = tmp_path / "os" / "fedora-36.xml"
    file.parent.mkdir(exist_ok=True)
    for content in (data, whole[:at] + data + whole[at + many :]):
        file.write_bytes(content)
        try:
            systems = load_rules([tmp_path]).systems
        except RulesError as error:
            told = error.message
        else:
            told = str(file) if all(system.short_ids for system in systems) else ""
        assert str(file) in told


def test_a_directory_of_many_names_costs_few_listings(no_rules: Rules) -> None:
    """An image made of directories that look like releases is not walked: listings are counted and limited."""

    class Maze:
        """Every directory holds a hundred that look like OpenBSD's."""

        listed = 0

        def names(self, path: str) -> list[str]:  # noqa: ARG002 -- the protocol's arguments, here and below
            """Count, and return a hundred names."""
            self.listed += 1
            return [f"{n}.{m}" for n in range(10, 20) for m in range(10)] + ["amd64", "dists", "apks"]

        def read(self, path: str, limit: int) -> bytes | None:  # noqa: ARG002
            """Hold no file."""
            return None

        def read_at(self, path: str, offset: int, size: int) -> bytes | None:  # noqa: ARG002
            """Hold no file."""
            return None

    maze = Maze()
    assert identify(Medium("MAZE"), maze, no_rules).name == ""
    assert maze.listed <= 64
