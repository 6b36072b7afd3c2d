"""A process that dies in the middle of a change leaves nothing of it."""

from __future__ import annotations

import subprocess
import sys

WRITE = """
import sys
from isobay.catalog import open_catalog
from isobay.model import Iso
catalog = open_catalog(sys.argv[1])
with catalog.writing() as tx:
    place = catalog.places.named(tx, "here")[0]
    for number in range(50):
        catalog.isos.add(tx, place, Iso(id=f"half-{number}", name="half"), "half")
    catalog.isos.delete(tx, sys.argv[2])
    print("inside", flush=True)
    sys.stdin.read()
"""


def _inside(url: str, iso_id: str) -> subprocess.Popen:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE, url, iso_id], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout.readline() == "inside\n"
    return writer


def _end(writer: subprocess.Popen, kill: bool) -> int:
    if kill:
        writer.kill()
    writer.communicate(timeout=60)
    return writer.returncode


def test_a_killed_writer_leaves_nothing(shelf):
    """After SIGKILL inside a transaction the shelf is as before, and takes the next change at once."""
    kept = shelf.add(name="kept")
    writer = _inside(shelf.url, kept.id)
    assert shelf.all() == [kept]

    assert _end(writer, kill=True) == -9
    after = shelf.add(name="after")

    assert shelf.all() == [kept, after]
    assert shelf.page().total == 2


def test_a_writer_that_lives_is_kept_whole(shelf):
    """The same writer, let go on, leaves all that it wrote: the crash is what made the difference."""
    gone = shelf.add(name="gone")

    assert _end(_inside(shelf.url, gone.id), kill=False) == 0
    assert [iso.name for iso in shelf.all()] == ["half"] * 50
    assert shelf.page().total == 50


def test_readers_do_not_wait_for_a_writer(shelf):
    """While one process is in the middle of a change, another reads what was there before it."""
    kept = shelf.add(name="kept")
    writer = _inside(shelf.url, kept.id)

    assert shelf.get(kept.id) == kept
    assert shelf.page().items == [kept]
    assert _end(writer, kill=False) == 0
    assert shelf.get(kept.id) is None
