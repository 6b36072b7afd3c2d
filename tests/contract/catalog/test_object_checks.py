"""Which objects are due to be verified, who verifies them, and which ISOs lost their bytes."""

from __future__ import annotations

import msgspec
from sqlalchemy import event, text

OLD, MIDDLE, LATE, NOW = (f"2026-01-{day:02}T00:00:00.000000Z" for day in (1, 2, 3, 4))
LIMIT = 10


def _object(iso) -> str:
    return f"object-{iso.id[:8]}"


def _put(shelf, iso, **fields) -> None:
    with shelf.catalog.writing() as tx:
        object_id = fields.pop("object_id", "")
        shelf.catalog.isos.replace(tx, shelf.place(tx=tx), msgspec.structs.replace(iso, **fields), object_id)


def _due(shelf, before=LATE, dead=OLD) -> list[str]:
    with shelf.catalog.reading() as tx:
        return shelf.catalog.checks.due(tx, before, dead, LIMIT)


def test_what_was_not_checked_for_long_is_due_the_oldest_first(shelf):
    """An image that was never checked counts from when it was ready; one that is not ready is not due."""
    middle, old = shelf.add(ready=True, updated=MIDDLE), shelf.add(updated=OLD)
    shelf.add(ready=True, updated=LATE)
    shelf.add(ready=False, updated=OLD)
    assert _due(shelf) == [_object(middle)]
    _put(shelf, old, ready=True, object_id=_object(old))
    assert _due(shelf) == [_object(old), _object(middle)]
    with shelf.catalog.writing() as tx:
        assert shelf.catalog.checks.claim(tx, _object(old), NOW, LATE, OLD)
        assert shelf.catalog.checks.end(tx, _object(old), NOW, NOW)
    assert _due(shelf) == [_object(middle)]
    assert _due(shelf, before="2026-02") == [_object(middle), _object(shelf.all()[2]), _object(old)]


def test_an_object_of_several_isos_is_due_once(shelf):
    """Also when the last of them came later, and as long as there is one; what they had before is forgotten."""
    first, second = shelf.add(ready=True, updated=OLD), shelf.add(ready=True, updated=OLD)
    _put(shelf, second, object_id=_object(first), updated=NOW)
    with shelf.catalog.writing() as tx:
        assert not shelf.catalog.checks.claim(tx, _object(second), NOW, NOW, NOW)
    assert _due(shelf) == [_object(first)]
    shelf.delete(first.id)
    assert _due(shelf) == [_object(first)]
    shelf.delete(second.id)
    assert _due(shelf) == []


def test_one_at_a_time_verifies_an_object(shelf):
    """Who claimed it is alone until it is done, or gave no sign of life for long; then its claim counts no more."""
    iso = shelf.add(ready=True, updated=OLD)
    name, checks = _object(iso), shelf.catalog.checks
    with shelf.catalog.writing() as tx:
        assert checks.claim(tx, name, MIDDLE, LATE, OLD)
        assert not checks.claim(tx, name, LATE, LATE, MIDDLE)
        assert checks.renew(tx, name, MIDDLE, LATE)
        assert not checks.renew(tx, name, MIDDLE, NOW)
        assert not checks.claim(tx, name, NOW, LATE, LATE)
    assert _due(shelf, dead=LATE) == []
    assert _due(shelf, dead=NOW) == [name]
    with shelf.catalog.writing() as tx:
        assert checks.claim(tx, name, NOW, LATE, NOW)
        assert not checks.end(tx, name, LATE, NOW)
        assert checks.end(tx, name, NOW, NOW)
        assert not checks.claim(tx, name, NOW, LATE, NOW)


def test_objects_are_paged_once_each_with_their_bytes(shelf):
    """Those of ISOs that are ready, however many have them."""
    isos = [shelf.add(ready=True, size=size) for size in (1, 10, 100)]
    _put(shelf, isos[2], object_id=_object(isos[1]), size=10)
    shelf.add(size=1000)
    names = sorted(map(_object, isos[:2]))
    with shelf.catalog.reading() as tx:
        checks = shelf.catalog.checks
        assert checks.objects(tx, "", 1) == names[:1]
        assert checks.objects(tx, names[0], LIMIT) == names[1:]
        assert checks.objects(tx, names[1], LIMIT) == []
        assert checks.total(tx) == 11
        assert checks.isos_of(tx, _object(isos[1])) == [isos[1].id, isos[2].id]
        assert checks.isos_of(tx, "none") == []


def test_equal_objects_are_those_that_are_ready(shelf):
    """Of the same hash and size; an ISO that failed, though it had them, is told as one that lost its bytes."""
    hashed = {"checksums": {"sha256": "ab"}, "size": 5}
    ready = shelf.add(ready=True, status="ready", **hashed)
    shelf.add(ready=True, checksums={"sha256": "ab"}, size=6)
    shelf.add(ready=True, checksums={"sha256": "cd"}, size=5)
    lost = shelf.add(status="failed", **hashed)
    shelf.add(status="failed", size=5)
    shelf.add(status="importing", **hashed)
    with shelf.catalog.reading() as tx:
        checks = shelf.catalog.checks
        assert checks.equal(tx, "ab", 5) == [_object(ready)]
        assert checks.lost(tx) == [lost.id]
        assert checks.count_lost(tx) == 1


def test_equal_objects_may_be_those_of_one_environment(shelf):
    """Where one is named, those of the others are not told."""
    hashed = {"ready": True, "checksums": {"sha256": "ab"}, "size": 5}
    here, beside = shelf.add("here", **hashed), shelf.add("beside", **hashed)
    with shelf.catalog.reading() as tx:
        equal = shelf.catalog.checks.equal
        assert equal(tx, "ab", 5) == sorted([_object(here), _object(beside)])
        assert equal(tx, "ab", 5, shelf.place("beside").environment_id) == [_object(beside)]


def test_a_check_is_known_as_long_as_an_iso_names_the_object(shelf):
    """Whatever became of the ISO; when it is deleted, or equal ones have one object, the others are forgotten."""
    kept, deleted, double, other = (
        shelf.add(ready=True, updated=OLD, size=5, checksums={"sha256": sha256}) for sha256 in ("ab", "cd", "ef", "ef")
    )
    checks = shelf.catalog.checks
    with shelf.catalog.writing() as tx:
        for iso in (kept, deleted, double, other):
            assert checks.claim(tx, _object(iso), NOW, NOW, NOW)
            assert checks.end(tx, _object(iso), NOW, NOW)
    _put(shelf, kept, ready=False)
    _put(shelf, kept, ready=True, object_id=_object(kept))
    shelf.delete(deleted.id)
    with shelf.catalog.writing() as tx:
        assert shelf.catalog.isos.share(tx, other.id, lambda _object_id, _size: True) == [_object(double)]
        known = [iso for iso in (kept, deleted, double, other) if checks.claim(tx, _object(iso), NOW, "2027", NOW)]
    assert known == [kept, other]


def test_what_is_due_is_found_by_an_index(shelf, backend):
    """In its order, without a look at those that are not due: the table is neither read through nor sorted."""
    shelf.add_all([shelf.iso(ready=True, updated=OLD) for _ in range(50)])
    asked = []
    with shelf.catalog.reading() as tx:
        if backend == "postgresql":
            for step in ("ANALYZE", "SET enable_seqscan = off", "SET enable_bitmapscan = off", "SET enable_sort = off"):
                tx.execute(text(step))
        event.listen(tx, "before_cursor_execute", lambda _c, _cur, sql, values, *_: asked.append((sql, values)))
        assert len(shelf.catalog.checks.due(tx, LATE, OLD, LIMIT)) == LIMIT
        ((sql, values),) = asked
        explain = "EXPLAIN QUERY PLAN " if backend == "sqlite" else "EXPLAIN "
        plan = "\n".join(str(row[-1]) for row in tx.exec_driver_sql(explain + sql, values))
    found = "ix_object_checks_checked (checked<?)" if backend == "sqlite" else "Index Cond: (checked <"
    assert found in plan, plan
    assert not any(step in plan for step in ("TEMP B-TREE", "SCAN isos", "Sort", "Seq Scan", "Hash")), plan
