"""The corpus and its rules, read once."""

from __future__ import annotations

import pytest

from isobay.osdetect import Rules, import_rules
from replay.isodata import ABSENT, CORPUS, DATABASE, Dump, dumps


@pytest.fixture(scope="session")
def corpus() -> list[Dump]:
    """Give every medium of the corpus, or say that it is not here."""
    if not CORPUS.exists():
        pytest.skip(ABSENT)
    return list(dumps())


@pytest.fixture(scope="session")
def corpus_rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Import the rules that know the media of the corpus, or say that they are not here."""
    if not DATABASE.exists():
        pytest.skip(ABSENT)
    return import_rules(DATABASE, tmp_path_factory.mktemp("rules") / "rules")
