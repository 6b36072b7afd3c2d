"""What the tests of osdetect share: files in memory, rules on disk, and Debian's own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from isobay.osdetect import Files, Rules, load_rules

DEBIAN_RULES = Path("/usr/share/osinfo")


class MemoryFiles:
    """The files of an image, in memory, that notes how much was asked for."""

    def __init__(self, content: Mapping[str, bytes | str]) -> None:
        self.content = {path: data.encode() if isinstance(data, str) else data for path, data in content.items()}
        self.most_asked = 0

    def names(self, path: str) -> list[str]:
        """Return the names in a directory."""
        start = f"{path}/" if path else ""
        return sorted({each[len(start) :].partition("/")[0] for each in self.content if each.startswith(start)})

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the start of a file."""
        return self.read_at(path, 0, limit)

    def read_at(self, path: str, offset: int, size: int) -> bytes | None:
        """Return a part of a file."""
        self.most_asked = max(self.most_asked, size)
        data = self.content.get(path)
        return None if data is None else data[offset : offset + size]


@pytest.fixture(scope="session")
def files() -> Callable[[Mapping[str, bytes | str]], Files]:
    """Give a way to make the files of an image from a mapping of paths to contents."""
    return MemoryFiles


@pytest.fixture(scope="session")
def debian_rules() -> Rules:
    """Load the rules of the Debian package osinfo-db: older than many of the releases in the tests."""
    if not (DEBIAN_RULES / "os").is_dir():
        pytest.fail(f"{DEBIAN_RULES} has no rules: install the Debian package osinfo-db")
    return load_rules([DEBIAN_RULES])


@pytest.fixture(scope="session")
def no_rules() -> Rules:
    """Give rules that know nothing."""
    return load_rules([])


def rule_file(os_id: str, body: str, short_id: str = "x1") -> str:
    """Write one system the way osinfo-db does."""
    return f'<libosinfo version="0.0.1"><os id="{os_id}"><short-id>{short_id}</short-id>{body}</os></libosinfo>'


@pytest.fixture
def database(tmp_path: Path) -> Callable[..., Path]:
    """Give a way to write a directory of rules from paths and the bodies of their systems."""

    def write(name: str, systems: Mapping[str, tuple[str, str]], version: str = "") -> Path:
        directory = tmp_path / name
        for path, (os_id, body) in systems.items():
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(rule_file(os_id, body, os_id.rpartition("/")[2]), encoding="utf-8")
        if version:
            (directory / "VERSION").write_text(version, encoding="ascii")
        return directory

    return write
