"""The tables are made and upgraded once, whoever starts, and are the tables that the code speaks of."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, create_engine, insert, inspect, text

from isobay.catalog import open_catalog
from isobay.catalog.database import HEAD, Database
from isobay.catalog.tables import metadata
from isobay.errors import SettingsError, UnavailableError

STARTERS = 4
START = """
import sys
from isobay.catalog import open_catalog
print("here", flush=True)
sys.stdin.readline()
catalog = open_catalog(sys.argv[1])
print(catalog.answers(), flush=True)
"""


@pytest.fixture
def raw():
    """Open a database with nothing of isobay's between."""
    engines = []

    def open_raw(url):
        engines.append(create_engine(url.replace("postgresql:", "postgresql+psycopg:")))
        return engines[-1]

    yield open_raw
    for engine in engines:
        engine.dispose()


def test_an_empty_database_gets_its_tables(empty_database_url, raw):
    """Opening makes every table, with the version noted."""
    catalog = open_catalog(empty_database_url)
    assert catalog.answers()
    catalog.close()

    assert set(inspect(raw(empty_database_url)).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_opening_twice_keeps_what_is_there(shelf):
    """A second opening finds the rows of the first."""
    given = shelf.add()
    again = open_catalog(shelf.url)
    with again.reading() as tx:
        found = again.isos.get(tx, again.places.named(tx, "here")[0], given.id)
    again.close()

    assert found.iso == given


def test_processes_that_start_together_migrate_once(empty_database_url, raw):
    """However many processes open an empty database at one moment, all go on with one set of tables."""
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", START, empty_database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(STARTERS)
    ]
    for starter in starters:
        assert starter.stdout.readline() == "here\n"
    for starter in starters:
        starter.stdin.write("go\n")
        starter.stdin.flush()
    answers = [starter.communicate(timeout=60) for starter in starters]

    assert answers == [("True\n", "")] * STARTERS
    with raw(empty_database_url).connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [HEAD]


def test_the_first_tables_are_upgraded_with_their_rows(empty_database_url, raw):
    """A database of the first version opens, and its tasks are as they were, with what they had not yet empty."""
    values = "'old', 'iso.delete', 'PENDING', '', '2026', '', 0.5, 'Half.', 5, 10, 'null', '[]'"
    with raw(empty_database_url).begin() as connection:
        _upgrade(connection, "0001")
        connection.execute(text(f"INSERT INTO tasks VALUES ({values})"))  # noqa: S608 -- text of this test

    catalog = open_catalog(empty_database_url)
    with catalog.writing() as tx:
        task = catalog.tasks.claim(tx, "old")
    catalog.close()

    assert (task.kind, task.message, task.bytes_total, task.progress) == ("iso.delete", "Half.", 10, 0.5)
    assert (task.subject, task.attempt, task.cancelled, task.bytes_per_second) == ("", 1, False, 0)


def test_what_was_never_checked_is_due_after_the_upgrade_as_before(empty_database_url, raw):
    """Each object of an ISO that is ready counts from when that was made; what no ISO names is forgotten."""
    with raw(empty_database_url).begin() as connection:
        _upgrade(connection, "0007")
        _put(connection, "scopes", id=1)
        _put(connection, "connections", id="c", scope_id=1)
        _put(connection, "environments", id="e", connection_id="c", scope_id=1)
        of_all = {"scope_id": 1, "environment_id": "e"}
        for seq, object_id, created, ready in (
            (1, "checked", "2020", True),
            (2, "never", "2023", True),
            (3, "never", "2022", True),
            (4, "arriving", "2020", False),
        ):
            _put(connection, "isos", seq=seq, id=str(seq), object_id=object_id, created=created, ready=ready, **of_all)
        _put(connection, "object_checks", object_id="checked", checked="2021")
        _put(connection, "object_checks", object_id="gone", checked="2020")

    catalog = open_catalog(empty_database_url)
    with catalog.writing() as tx:
        assert catalog.checks.due(tx, "2024", "2024", 10) == ["checked", "never"]
        assert catalog.checks.due(tx, "2022", "2024", 10) == ["checked"]
        assert not catalog.checks.claim(tx, "gone", "2024", "2024", "2024")
    catalog.close()


def test_uploads_that_were_begun_before_the_upgrade_are_looked_at(empty_database_url, raw):
    """Whoever received one may have died with its last byte, and did not note that."""
    with raw(empty_database_url).begin() as connection:
        _upgrade(connection, "0007")
        _put(connection, "scopes", id=1)
        _put(connection, "connections", id="c", scope_id=1)
        _put(connection, "environments", id="e", connection_id="c", scope_id=1)
        _put(connection, "isos", seq=1, id="i", scope_id=1, environment_id="e", status="uploading")
        _put(connection, "uploads", iso_id="i")

    catalog = open_catalog(empty_database_url)
    with catalog.reading() as tx:
        assert catalog.uploads.whole(tx) == ["i"]
    catalog.close()


def test_tables_of_a_later_version_are_refused(database_url, raw):
    """A database that a newer isobay made is left alone, and the error says what to do."""
    with raw(database_url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(UnavailableError, match="later one"):
        open_catalog(database_url)
    with raw(database_url).connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"


def test_the_migrations_make_the_tables_of_the_code(database_url, raw):
    """Nothing is left to change between what the migrations made and what the statements name."""
    with raw(database_url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_text_that_is_sorted_by_has_no_locale(database_url, raw, backend):
    """Every column that an index sorts compares bytes, on both databases alike."""
    if backend == "sqlite":
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND sql LIKE '%COLLATE%'"
    else:
        query = (
            "SELECT count(*) FROM information_schema.columns WHERE table_name = 'isos' AND column_name <> 'record' "
            "AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'"
        )
    with raw(database_url).connect() as connection:
        assert connection.execute(text(query)).scalar() == 0


def test_the_code_knows_the_last_migration():
    """The version that opening compares with is the head of the migrations."""
    config = Config()
    config.set_main_option("script_location", "isobay.catalog:migrations")

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/name", "sqlite://", "/var/lib/isobay.db"])
def test_what_is_no_database_url_is_refused(url):
    """A URL of no database that isobay keeps its catalogue in is an error of the settings."""
    with pytest.raises(SettingsError, match="ISOBAY_DATABASE_URL"):
        open_catalog(url)


def test_a_server_that_does_not_answer_is_unavailable():
    """No server at the address is an error that hides the password and names the setting."""
    with pytest.raises(UnavailableError, match="ISOBAY_DATABASE_URL") as caught:
        open_catalog("postgresql://somebody:hush@127.0.0.1:1/isobay")

    assert "hush" not in caught.value.message


def test_a_directory_that_is_not_there_is_unavailable(tmp_path):
    """A file of SQLite that cannot be made is an error, not a trace."""
    with pytest.raises(UnavailableError, match="cannot be used"):
        open_catalog(f"sqlite:///{tmp_path / 'missing' / 'isobay.db'}")


def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    """A file that holds something else is refused and stays as it was."""
    path = tmp_path / "isobay.db"
    path.write_text("This is a letter, not a database. " * 64)

    with pytest.raises(UnavailableError, match="not a database"):
        open_catalog(f"sqlite:///{path}")
    assert path.read_text().startswith("This is a letter")


def test_tables_that_went_away_are_told(database_url, raw):
    """Readiness says no when the tables are not those of this version."""
    database = Database(database_url)
    assert database.answers()
    with raw(database_url).begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))

    assert not database.answers()
    database.close()


def _upgrade(connection, version):
    config = Config()
    config.set_main_option("script_location", "isobay.catalog:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def _put(connection, name, **values):
    """Put a row into a table as it is now, with something in every column."""
    table = Table(name, MetaData(), autoload_with=connection)
    something = {each.name: each.type.python_type() for each in table.columns if not each.nullable}
    connection.execute(insert(table).values({**something, **values}))
