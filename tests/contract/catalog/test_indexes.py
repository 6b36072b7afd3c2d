"""Every documented sort and filter is served by an index, on both databases."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import text

from isobay.catalog import FILTER_FIELDS, SORT_FIELDS, queries
from isobay.model import Iso, Listing

ROWS = 120


@pytest.fixture
def plan(shelf, backend):
    """Give the steps by which the database would answer a statement, as text."""
    shelf.add_all([shelf.iso(name=str(n), visibility="public" if n % 9 == 0 else "private") for n in range(ROWS)])
    place = shelf.place()
    scopes = {"private_scope": place.private_scope, "public_scope": place.public_scope}

    def explain(statement, listing: Listing, off=("seqscan", "bitmapscan", "sort"), **bound) -> str:
        values = {**scopes, **queries.values_of(listing), **bound}
        with shelf.catalog.reading() as tx:
            if backend == "postgresql":
                # On a table of this size reading and sorting all of it is right: the question is what an index can do.
                for step in ("ANALYZE isos", *(f"SET enable_{way} = off" for way in off)):
                    tx.execute(text(step))
            compiled = statement.compile(tx.engine)
            values = compiled.construct_params(values)
            if backend == "sqlite":
                values = tuple(values[name] for name in compiled.positiontup)
            explained = "EXPLAIN QUERY PLAN " if backend == "sqlite" else "EXPLAIN "
            rows = tx.exec_driver_sql(explained + compiled.string, values)
            return "\n".join(str(row[-1]) for row in rows)

    return explain


def _is_sorted(plan: str) -> bool:
    """Whether rows are sorted that no limit has cut before."""
    limits: list[int] = []
    for line in plan.splitlines():
        depth = len(line) - len(line.lstrip(" ->"))
        limits = [limit for limit in limits if limit < depth]
        if "Limit  (" in line:
            limits.append(depth)
        # Under the first limit the streams meet: sorting there is little where each has a limit of its own.
        if "Sort  (" in line and (len(limits) > 1 or plan.count("Limit  (") == 1):
            return True
    return "TEMP B-TREE" in plan


def _reads_all(plan: str) -> bool:
    return "SCAN isos" in plan.replace("SCAN isos USING", "") or "Seq Scan" in plan


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_an_index_gives_every_order(plan, order, backend):
    """First pages, later pages and the rows at an offset come in order out of an index: nothing is sorted."""
    example = Iso(id="0", name="0")
    for field in ("", *SORT_FIELDS):
        shape = queries.Shape(field, order, (), False)
        key = getattr(example, field) if field else 1
        for statement, bound in (
            (queries.page_statement(shape, False, backend), {"limit": 20}),
            (queries.page_statement(shape, True, backend), {"limit": 20, "after_key": key, "after_seq": 7}),
            (queries.anchor_statement(shape, backend), {"offset": 90}),
        ):
            found = plan(statement, Listing(sort_by=field, order=order), **bound)
            assert not _is_sorted(found), (field, found)
            assert not _reads_all(found), (field, found)
            # In the order of creation PostgreSQL may as well walk the primary key of a small table.
            indexes = [f"ix_isos_scope_{field}"] if field else ["ix_isos_scope_seq", "isos_pkey"]
            assert any(index in found for index in indexes), (field, found)


def test_an_index_finds_every_filter(plan, backend):
    """A filter is looked up together with the scope, for the page, its count and the page after it."""
    for field in FILTER_FIELDS:
        listing = Listing(filters=((field, getattr(Iso(id="0", name="0"), field)),))
        shape = queries.Shape.of(listing)
        for statement, bound in (
            (queries.page_statement(shape, False, backend), {"limit": 20}),
            (queries.page_statement(shape, True, backend), {"limit": 20, "after_seq": 7}),
            (queries.count_statement(shape), {}),
        ):
            found = plan(statement, listing, **bound)
            assert not _reads_all(found), (field, found)
            assert field in found, (field, found)
            assert not _is_sorted(found), (field, found)


def test_ties_with_the_anchor_are_found_by_their_number(plan, backend):
    """The page after a row reads neither what precedes the row nor its ties before it."""
    shape = queries.Shape("bootable", "ASC", (), False)
    found = plan(
        queries.page_statement(shape, True, backend),
        Listing(sort_by="bootable"),
        limit=20,
        after_key=False,
        after_seq=90,
    )

    tie = "bootable=? AND rowid>?" if backend == "sqlite" else "(NOT bootable)"
    ties = [line for line in found.replace("seq>?", "rowid>?").splitlines() if "Cond" in line or "SEARCH" in line]
    assert sum("seq > '90'" in line if backend == "postgresql" else tie in line for line in ties) == 2, found


def test_a_filtered_offset_is_found_in_indexes_alone(plan, backend):
    """To skip to an offset of a sorted and filtered list, no row is fetched: on SQLite every index covers."""
    if backend == "postgresql":
        needed, refused = "Merge Append", "Seq Scan"
    else:
        needed, refused = "COVERING INDEX ix_isos_scope_bootable", "USING INDEX"
    listing = Listing(sort_by="name", filters=(("bootable", False), ("live", False)))
    found = plan(queries.anchor_statement(queries.Shape.of(listing), backend), listing, offset=90)

    assert needed in found, found
    assert refused not in found, found


def test_few_rows_are_sorted_and_not_looked_for(plan, backend):
    """Where a filter leaves few rows, it is its index that is read, whatever they are sorted by."""
    listing = Listing(sort_by="size", filters=(("name", "7"),))
    shape = msgspec.structs.replace(queries.Shape.of(listing), few=True)
    found = plan(queries.page_statement(shape, False, backend), listing, off=("seqscan", "bitmapscan"), limit=20)

    assert "ix_isos_scope_name" in found, found
    assert "ix_isos_scope_size" not in found, found
