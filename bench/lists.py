"""Lists and single ISOs over HTTP, beside the bare floor in the same run.

Two processes each, eight connections; isobay asks for the key and looks who may see what, the floor does not.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

import msgspec

import floor
import measure
from isobay.app import build
from isobay.catalog.tables import FOUND_BY, isos
from isobay.model import Iso
from isobay.settings import Settings
from measure import beside, report, requests_per_second

KEY = "bench-key-of-the-administrator"
BATCH = 5_000
ISOS = "/v1/services/compute-on/test_area/isos"


def shelf(count: int) -> Path:
    """A data directory with this many ISOs; made once and kept."""
    from sqlalchemy import insert, text
    from sqlalchemy.schema import CreateIndex

    directory = measure.scratch() / f"shelf-{count}"
    if (directory / "whole").exists():
        return directory
    print(f"making a shelf of {count} ISOs …", file=sys.stderr)
    built = build(Settings.load({}, data_dir=directory, admin_key=KEY))
    visit = built.door.operate("test_area")
    with built.catalog.writing() as tx:
        indexes = [index for index in isos.indexes if str(index.name).startswith("ix_isos_scope_")]
        for index in indexes:
            tx.execute(text(f"DROP INDEX IF EXISTS {index.name}"))
        for start in range(0, count, BATCH):
            rows = []
            for number in range(start, min(start + BATCH, count)):
                iso = _iso(number)
                rows.append(
                    {
                        "seq": number + 1,
                        "scope_id": visit.place.private_scope,
                        "environment_id": visit.place.environment_id,
                        "object_id": iso.id,
                        "record": msgspec.json.encode(iso).decode(),
                        **{name: getattr(iso, name) for name in FOUND_BY},
                    }
                )
            tx.execute(insert(isos), rows)
        for index in indexes:
            tx.execute(CreateIndex(index))
    built.catalog.close()
    _lay_floor(directory, count)
    (directory / "whole").touch()
    return directory


def _lay_floor(directory: Path, count: int) -> None:
    import sqlite3

    database = sqlite3.connect(directory / "floor.db")
    columns = ", ".join(f"{name} UNIQUE" if name == "id" else name for name in floor.FIELDS)
    database.execute(f"CREATE TABLE floor (seq INTEGER PRIMARY KEY, {columns})")
    marks = ", ".join("?" * len(floor.FIELDS))
    nested = {*floor.LISTS, "checksums"}
    database.executemany(
        f"INSERT INTO floor ({floor.COLUMNS}) VALUES ({marks})",  # noqa: S608 -- names of ours
        (
            [msgspec.json.encode(getattr(iso, name)) if name in nested else getattr(iso, name) for name in floor.FIELDS]
            for iso in map(_iso, range(count))
        ),
    )
    database.commit()
    database.close()


def _iso(number: int) -> Iso:
    releases = ("Ubuntu 24.04 LTS", "Debian 12", "Fedora Linux 43", "Windows 11")
    release = releases[number % len(releases)]
    iso_id = str(UUID(int=number * 0x9E3779B97F4A7C15 % (1 << 128), version=4))
    return Iso(
        id=iso_id,
        name=f"image {number:07}",
        description=f"{release}, build {number}",
        size=700_000_000 + number,
        ready=True,
        bootable=number % 5 != 0,
        os_type_id=str(UUID(int=number % 4 + 1, version=5)),
        os_type_name=release,
        zone_id=str(UUID(int=9, version=4)),
        zone_name="zone1",
        created=f"2026-01-01T00:00:00.{number % 1_000_000:06}Z",
        available_in_zones=[str(UUID(int=9, version=4))],
        status="ready",
        progress=1.0,
        checksums={"sha256": f"{number:064x}"},
        architecture="x86_64",
        boot_modes=["bios", "uefi"],
        os_id="http://example.org/os",
        installer=True,
        volume_label=f"IMAGE_{number}",
        formats=["iso9660", "joliet", "rockridge", "eltorito", "hybrid-mbr", "hybrid-gpt"],
        updated="2026-01-01T00:00:00.000000Z",
    )


@contextmanager
def servers(directory: Path) -> Iterator[tuple[str, str]]:
    """Run isobay and the floor on one shelf; their addresses."""
    ours, bare = measure.free_port(), measure.free_port()
    serve = [sys.executable, "-m", "isobay", "serve", "--workers", "2", "--data-dir", str(directory)]
    plain = [
        sys.executable,
        "-m",
        "uvicorn",
        "floor:app",
        "--workers",
        "2",
        "--no-access-log",
        "--log-level",
        "warning",
    ]
    here = {"FLOOR_DATABASE": str(directory / "floor.db"), "PYTHONPATH": str(Path(__file__).parent)}
    addresses = f"http://127.0.0.1:{ours}", f"http://127.0.0.1:{bare}"
    with (
        measure.server([*serve, "--port", str(ours)], f"{addresses[0]}/healthz", {**os.environ}),
        measure.server([*plain, "--port", str(bare)], f"{addresses[1]}/isos", {**os.environ, **here}),
    ):
        yield addresses


def compare(count: int, seconds: int) -> None:
    """Measure one shelf."""
    header = f"MC-Api-Key: {KEY}"

    def rate(address: str, key: str = "", paths: list[str] | None = None) -> float:
        return requests_per_second(address, seconds, header=key, paths=paths)

    def taken(address: str) -> float:
        return 1 / rate(address, header)

    with servers(shelf(count)) as (ours, bare):
        first = f"{ours}{ISOS}?page_size=20"
        figures = beside(lambda: rate(first, header), lambda: rate(f"{bare}/isos"))
        report(f"page of 20 of {count:,}", figures, "req/s", "floor")
        wanted = _iso(count // 2).id
        figures = beside(lambda: rate(f"{ours}{ISOS}/{wanted}", header), lambda: rate(f"{bare}/isos/{wanted}"))
        report(f"one of {count:,}", figures, "req/s", "floor")
        starts = range(0, count - 20, (count - 20) // 2000)
        walk = [f"{ISOS}?page_size=20&cursor={_cursor(seq)}" for seq in starts]
        plain_walk = [f"/isos?after={seq}" for seq in starts]
        figures = beside(lambda: rate(ours, header, walk), lambda: rate(bare, "", plain_walk))
        report(f"2,000 pages of {count:,} in turn, by cursor", figures, "req/s", "floor")
        pages = count // 20
        for how, last in (("number", f"page_number={pages}"), ("cursor", f"cursor={_cursor(count - 20)}")):
            deep = f"{first}&{last}"
            figures = beside(partial(rate, deep, header), partial(rate, f"{bare}/isos?after={count - 20}"))
            report(f"page {pages:,} of {count:,} by {how}", figures, "req/s", "floor")
            figures = beside(partial(taken, deep), partial(taken, first))
            report(f"time of the last page by {how}", figures, "s", "first page")


def _cursor(seq: int) -> str:
    from isobay.catalog.queries import Anchor, encode_cursor
    from isobay.model import Listing

    return encode_cursor(Anchor(seq, seq), Listing())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="*", default=[10_000, 1_000_000])
    parser.add_argument("--seconds", type=int, default=3)
    arguments = parser.parse_args()
    for each in arguments.counts:
        compare(each, arguments.seconds)
