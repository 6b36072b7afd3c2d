"""The bare floor under the lists: Starlette, msgspec and sqlite3, the same bodies, nobody asked for a key.

It is what a plain program would do: a table with a column for each field, a struct from each row, JSON from
the structs. ``lists.py`` makes the table.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from isobay.model import Iso

FIELDS = {field.name: field for field in msgspec.structs.fields(Iso)}
LISTS = {name for name, field in FIELDS.items() if field.type == list[str] or name in ("formats", "boot_modes")}
FLAGS = {name for name, field in FIELDS.items() if field.type is bool or isinstance(field.default, bool)}
COLUMNS = ", ".join(FIELDS)

_encode = msgspec.json.Encoder().encode
_strings = msgspec.json.Decoder(list[str]).decode
_mapping = msgspec.json.Decoder(dict[str, str]).decode
_readers: list[Any] = [
    _mapping if name == "checksums" else _strings if name in LISTS else bool if name in FLAGS else None
    for name in FIELDS
]
_database = sqlite3.connect(os.environ.get("FLOOR_DATABASE", ":memory:"), check_same_thread=False)


def _iso(row: tuple[Any, ...]) -> Iso:
    return Iso(
        **{name: read(value) if read else value for name, read, value in zip(FIELDS, _readers, row, strict=True)}
    )


def _answer(body: object) -> Response:
    return Response(_encode(body), media_type="application/json")


async def page(request: Request) -> Response:
    """Twenty ISOs by keyset, and how many there are."""
    after = int(request.query_params.get("after", "0"))
    rows = _database.execute(f"SELECT {COLUMNS} FROM floor WHERE seq > ? ORDER BY seq LIMIT 20", (after,))  # noqa: S608 -- names of ours
    metadata = {"recordCount": _TOTAL, "pageSize": 20, "pageCurrent": 1, "sortOrder": "ASC"}
    return _answer({"data": [_iso(row) for row in rows], "metadata": metadata})


async def one(request: Request) -> Response:
    """One ISO by its id."""
    row = _database.execute(f"SELECT {COLUMNS} FROM floor WHERE id = ?", (request.path_params["iso_id"],)).fetchone()  # noqa: S608 -- names of ours
    return _answer({"data": _iso(row)})


_has_table = _database.execute("SELECT 1 FROM sqlite_master WHERE name = 'floor'").fetchone()
# Counted once: a floor has no writers.
_TOTAL = _database.execute("SELECT count(*) FROM floor").fetchone()[0] if _has_table else 0

app = Starlette(routes=[Route("/isos", page), Route("/isos/{iso_id}", one)])
