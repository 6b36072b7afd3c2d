"""Options are read from the environment, checked, and named when they are wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from isobay.errors import SettingsError
from isobay.settings import PREFIX, Settings


def test_without_variables_the_defaults_hold() -> None:
    """An empty environment gives every option its default."""
    assert msgspec.structs.asdict(Settings.load({})) == msgspec.structs.asdict(Settings())


def test_what_is_given_wins_over_the_environment() -> None:
    """A value given beats the variable, the variable beats the default, None is not given."""
    environ = {"ISOBAY_PORT": "9000", "ISOBAY_HOST": "192.0.2.1"}
    settings = Settings.load(environ, port=9001, host=None)
    assert (settings.port, settings.host, settings.workers) == (9001, "192.0.2.1", 1)


def test_an_empty_variable_is_none() -> None:
    """An empty variable leaves the default."""
    assert Settings.load({"ISOBAY_PORT": "", "ISOBAY_LOG_FORMAT": ""}).port == 8080


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "http"),
        ("WORKERS", "0"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("MAX_PAGE_SIZE", "1.5"),
        ("MAX_BODY_BYTES", "12"),
        ("TASK_DAYS", "-1"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(name: str, value: str) -> None:
    """The error names the variable and the value, and for programs the option."""
    with pytest.raises(SettingsError) as caught:
        Settings.load({PREFIX + name: value})
    assert PREFIX + name in caught.value.message
    assert value in caught.value.message
    assert caught.value.context["option"] == name.lower()


def test_a_key_that_is_too_long_is_not_repeated() -> None:
    """The error for the administrator's key does not show it."""
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ISOBAY_ADMIN_KEY": "s3cret" * 100})
    assert "s3cret" not in caught.value.message


def test_the_data_directory_is_absolute_and_holds_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A relative directory is made absolute, so a later change of directory moves nothing."""
    monkeypatch.chdir(tmp_path)
    settings = Settings.load({"ISOBAY_DATA_DIR": "data"})
    assert settings.data_dir == tmp_path / "data"
    assert settings.catalog_url == f"sqlite:///{tmp_path}/data/isobay.db"
    assert {settings.objects_dir.parent, settings.rules_dir.parent, settings.cache_dir.parent} == {settings.data_dir}


def test_the_default_directory_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The default is isobay below XDG_STATE_HOME, and below ~/.local/state where that is not set."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert Settings.load({}).data_dir == tmp_path / "state" / "isobay"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.load({}).data_dir == tmp_path / ".local" / "state" / "isobay"


def test_a_database_of_its_own_is_taken_as_it_is() -> None:
    """ISOBAY_DATABASE_URL is the catalogue's URL."""
    url = "postgresql://isobay@db.example/isobay"
    assert Settings.load({"ISOBAY_DATABASE_URL": url}).catalog_url == url
