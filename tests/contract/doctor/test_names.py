"""What the doctor says of names, and that a look leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from sentences import problems, said, verdict

from hostile_source import HostileSource, Page
from isobay.app import build
from isobay.inspection.diagnosis import Diagnosis
from isobay.model import Listing
from isobay.settings import Settings
from service import environment
from sources import Names

EXAMINE = """
import sys
from pathlib import Path
import msgspec
from isobay.app import build_doctor
from isobay.inspection import RulesShelf
from isobay.settings import Settings
doctor = build_doctor(Settings.load(), RulesShelf(Path("imported"), Path("cache")).rules)
print(msgspec.json.encode(doctor.examine(sys.argv[1])).decode())
"""


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Names:
    """Names that lead where the tests say."""
    return Names(tmp_path_factory.mktemp("names"))


def examine(names: Names, url: str, directory: Path, **options: str) -> Diagnosis:
    """Examine a URL in a process for which the names are led."""
    settings = {"ISOBAY_ALLOWED_NETWORKS": "127.0.0.1"} | options
    done = subprocess.run(
        [sys.executable, "-c", EXAMINE, url],
        env=environment(**names.environment, **settings),
        cwd=directory,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    return msgspec.json.decode(done.stdout, type=Diagnosis)


def test_a_name_and_its_addresses(names: Names, source: HostileSource, installer: Path, tmp_path: Path) -> None:
    """A name's addresses are told; one that is refused beside one that is not is a notice, alone it is the end."""
    source.pages["/debian.iso"] = Page(installer.read_bytes())
    url = source.url("/debian.iso", host="images.test")
    names.lead({"images.test": ["127.0.0.1"]})
    good = examine(names, url, tmp_path)
    names.lead({"images.test": ["10.0.0.1", "127.0.0.1"]})
    mixed = examine(names, url, tmp_path)
    names.lead({"images.test": ["10.0.0.1"]})
    bad = examine(names, url, tmp_path)
    assert (verdict(good, "dns"), good.addresses, good.importable) == ("ok", ["127.0.0.1"], True)
    assert (verdict(mixed, "address"), sorted(mixed.addresses)) == ("notice ok", ["10.0.0.1", "127.0.0.1"])
    assert "10.0.0.1 too, which is a private address" in said(mixed, "address")
    assert mixed.importable
    assert (problems(bad), bad.addresses, bad.status) == (["address"], ["10.0.0.1"], 0)


def test_a_name_that_does_not_exist(names: Names, tmp_path: Path) -> None:
    """A name that cannot be resolved is one problem, said once; behind a proxy it may be known all the same."""
    names.lead({})
    diagnosis = examine(names, "http://nowhere.test/a.iso", tmp_path)
    proxied = examine(names, "http://nowhere.test/a.iso", tmp_path, ISOBAY_PROXY="http://127.0.0.1:1")
    assert (problems(diagnosis), verdict(diagnosis, "dns")) == (["dns"], "problem")
    assert "nowhere.test cannot be resolved" in said(diagnosis, "dns")
    assert (verdict(proxied, "dns"), problems(proxied)) == ("notice", ["server"])


def kept(directory: Path) -> dict[Path, bytes]:
    """The files there, but for the one in which SQLite notes who reads."""
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.suffix != ".db-shm"}


def test_nothing_is_kept(source: HostileSource, installer: Path, tmp_path: Path) -> None:
    """Through the engine a look counts the environment's limits, and leaves no byte and no ISO."""
    source.pages["/debian.iso"] = Page(installer.read_bytes())
    variables = {"ISOBAY_ALLOWED_NETWORKS": "127.0.0.0/8", "ISOBAY_ENVIRONMENT_BYTES": "1000"}
    built = build(Settings.load(variables, data_dir=tmp_path))
    try:
        visit = built.door.operate("test_area")
        built.rules.rules()  # they are read once for everything, and cached
        before = kept(tmp_path)
        diagnosis = visit.engine.inspect_url(visit.place, source.url("/debian.iso"))
        assert kept(tmp_path) == before
        assert built.catalog.page(visit.place, Listing()).total == 0
    finally:
        built.catalog.close()
    assert problems(diagnosis) == ["quota"]
    assert "1000 bytes are free in the environment" in said(diagnosis, "quota")
    assert verdict(diagnosis, "space") == "ok"
    assert diagnosis.report
