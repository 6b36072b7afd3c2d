"""The documents, as the tests read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def document() -> Callable[[str], str]:
    """Give the text of a document by its path in the repository."""
    return lambda path: (ROOT / path).read_text()


@pytest.fixture
def table(document: Callable[[str], str]) -> Callable[[str, str], list[list[str]]]:
    """Give the rows, as lists of cells, of the table of a document that begins with a heading cell."""

    def rows(path: str, heading: str) -> list[list[str]]:
        lines = document(path).splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |"))
        found = []
        for line in lines[start + 2 :]:
            if not line.startswith("|"):
                break
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        return found

    return rows
