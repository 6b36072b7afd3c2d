"""What callers are told where bytes, rules or the database cannot be had: never a place, which the log has."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from servers import Postgresql
from service import SEED, serving


def _remove(path: Path) -> None:
    path.unlink()


def _hide(path: Path) -> None:
    path.symlink_to(path.rename(path.with_suffix(".moved")))  # also root follows none


@pytest.mark.parametrize(("damage", "code"), [(_remove, 5004), (_hide, 5001)])
@pytest.mark.parametrize("asked", ["content", "files"])
def test_bytes_that_are_not_there_are_told_without_their_place(tmp_path, image_file, capfd, damage, code, asked):
    """Neither of the whole image nor of a look into it; the log says where they were looked for."""
    with serving(tmp_path / "data", ISOBAY_TASKS_AT_ONCE="0") as service:
        iso = service.add(image_file)
        [path] = (tmp_path / "data" / "objects").rglob("*.iso")
        damage(path)
        answer = service.client().get(f"{SEED}/isos/{iso['id']}/{asked}")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (507, code)
    assert not any(told in answer.text for told in (str(tmp_path), path.stem, "backup"))
    assert "whoever runs isobay" in answer.text
    assert str(path) in capfd.readouterr().err


def test_rules_that_cannot_be_read_are_told_without_their_file(tmp_path, capfd):
    """Not in the sentence, nor in what is for programs."""
    with serving(tmp_path / "data", ISOBAY_TASKS_AT_ONCE="0") as service:
        broken = service.behind.settings.rules_dir / "os" / "example.org" / "broken.xml"
        broken.parent.mkdir(parents=True)
        broken.write_text("<libosinfo>")
        answer = service.client().get(f"{SEED}/ostypes")
    assert answer.json()["errors"][0]["code"] == 2102
    assert str(tmp_path) not in answer.text
    assert str(broken) in capfd.readouterr().err


def test_a_database_that_went_away_is_told_without_its_address(tmp_path, postgresql_server: Postgresql, capfd):
    """Its own words name it, its server and its account, and these are in the log."""
    with (
        postgresql_server.database(template=postgresql_server.migrated) as url,
        serving(tmp_path / "data", ISOBAY_DATABASE_URL=url, ISOBAY_TASKS_AT_ONCE="0") as service,
        psycopg.connect(postgresql_server.url("postgres"), autocommit=True) as operator,
    ):
        name = url.rpartition("/")[2]
        operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")  # as one that is restored
        postgresql_server.end_sessions(url)
        answer = service.client().get(f"{SEED}/isos")
        operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, 5002)
    assert not any(told in answer.text for told in (name, "127.0.0.1", str(tmp_path)))
    assert name in capfd.readouterr().err
