"""``isobay download``: from a service and from the data directory, gone on with, verified, and safe for any name."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from pathlib import Path

import pytest
from shelved import Shelved, shelve

from hostile_source import Page, hostile
from service import KEY, environment, serving

MIB = 1 << 20


def _run(directory: Path, *arguments: str | Path, **options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "isobay", "download", *map(str, arguments)]
    return subprocess.run(
        command, cwd=directory, env=environment(**options), capture_output=True, text=True, timeout=60, check=False
    )


def _part(shelved: Shelved, directory: Path) -> Path:
    return directory / f".{shelved.iso['checksums']['sha256'][:32]}.part"


def _far(shelved: Shelved) -> dict[str, str]:
    return {"ISOBAY_URL": shelved.service.address, "ISOBAY_KEY": KEY}


def _near(shelved: Shelved) -> dict[str, str]:
    return {"ISOBAY_DATA_DIR": str(shelved.service.behind.settings.data_dir)}


@pytest.mark.parametrize("where", [_far, _near])
def test_an_image_is_saved_whole(shelved, tmp_path, where):
    """By id or name, under its own name or another, into a directory; the path is printed, and no part stays."""
    done = _run(tmp_path, shelved.iso["id"], **where(shelved))
    assert (done.returncode, done.stdout, done.stderr) == (0, "medium.iso\n", "")
    assert (tmp_path / "medium.iso").read_bytes() == shelved.data
    (tmp_path / "there").mkdir()
    for output in (tmp_path / "other.iso", tmp_path / "there"):
        done = _run(tmp_path, "medium", "-o", output, "--json", **where(shelved))
        said = json.loads(done.stdout)
        assert Path(said["path"]).read_bytes() == shelved.data
        assert said["iso"]["id"] == shelved.iso["id"]
    saved = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert saved == ["medium.iso", "medium.iso", "other.iso"]


@pytest.mark.parametrize("where", [_far, _near])
def test_what_is_there_already_is_not_fetched_again(shelved, tmp_path, where):
    """A part of a download that was cut is gone on with; one that is damaged is found out and thrown away."""
    part = _part(shelved, tmp_path)
    part.write_bytes(shelved.data[:MIB])
    assert _run(tmp_path, "medium", **where(shelved)).returncode == 0
    assert (tmp_path / "medium.iso").read_bytes() == shelved.data
    (tmp_path / "medium.iso").unlink()
    part.write_bytes(bytes(MIB))
    done = _run(tmp_path, "medium", **where(shelved))
    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert list(tmp_path.iterdir()) == []
    part.write_bytes(shelved.data + b"more")
    assert _run(tmp_path, "medium", **where(shelved)).returncode == 0
    assert (tmp_path / "medium.iso").read_bytes() == shelved.data


def test_a_part_is_asked_for_and_a_cut_is_gone_on_with(shelved, tmp_path):
    """Over a service that hangs up in the middle: the next request begins there, on condition that it is the same."""
    iso = json.dumps({"data": {**shelved.iso, "id": "a"}}).encode()
    path = "/v1/services/compute-on/test_area/isos/a"
    etag = f'"{shelved.iso["checksums"]["sha256"]}"'
    with hostile() as source:
        source.pages[path] = Page(iso)
        source.pages[f"{path}/content"] = Page(shelved.data, etag=etag, cut_every=2 * MIB)
        done = _run(tmp_path, "a", "-o", "a.iso", "--url", source.url(""), "--key", "k")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "a.iso").read_bytes() == shelved.data
        assert "Trying again" in done.stderr
        asked = [request for request in source.requests if request.target.endswith("content")]
        assert asked[0].headers.get("range") is None
        assert all(each.headers["if-range"] == etag for each in asked[1:])


def test_what_is_in_the_way_is_said(shelved, tmp_path):
    """A file that is there stays; an ISO, a service or a key that is not there is told with the right exit code."""
    (tmp_path / "medium.iso").write_bytes(b"mine")
    done = _run(tmp_path, "medium", **_far(shelved))
    assert (done.returncode, (tmp_path / "medium.iso").read_bytes()) == (1, b"mine")
    assert "is there already" in done.stderr
    assert _run(tmp_path, "nothing", **_far(shelved)).returncode == 3
    assert _run(tmp_path, "nothing", **_near(shelved)).returncode == 3
    refused = _run(tmp_path, "medium", ISOBAY_URL=shelved.service.address, ISOBAY_KEY="wrong")
    assert refused.returncode == 1
    assert "is not known" in refused.stderr
    assert "wrong" not in refused.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "medium.iso"]


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("../../etc/x", "_.._etc_x.iso"),
        (".hidden", "hidden.iso"),
        ("\x9b31m\u202e", "_31m_.iso"),
        ("ö" * 200, "ö" * 100 + ".iso"),
    ],
)
def test_an_images_name_leads_nowhere_else(own, tmp_path, name, saved):
    """Whatever an ISO is called, it is saved in this directory, under a name that can be seen."""
    own.edit(name=name)
    done = _run(tmp_path, own.iso["id"], **_far(own), PYTHONUTF8="1")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [saved]


def test_two_commands_do_not_mix_their_bytes(shelved, tmp_path):
    """Who comes second while the first one writes is refused, and nothing of the first is touched."""
    with _part(shelved, tmp_path).open("ab") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        done = _run(tmp_path, "medium", **_far(shelved))
        assert done.returncode == 1
        assert "Another command" in done.stderr
    assert _part(shelved, tmp_path).stat().st_size == 0


def test_a_limit_of_requests_ends_no_download(tmp_path: Path, image_file: Path):
    """429 at the first request is waited out, as long as the service says."""
    with serving(tmp_path / "data", ISOBAY_REQUESTS_PER_MINUTE_ADDRESS="30") as service:
        shelved = shelve(service, image_file, "medium")
        while service.client().get(shelved.path).status_code != 429:
            pass
        done = _run(tmp_path, shelved.iso["id"], **_far(shelved))
        assert (done.returncode, "Going on in " in done.stderr) == (0, True), done.stderr
        assert (tmp_path / "medium.iso").read_bytes() == shelved.data
