"""What imports were asked for goes with their ISOs; what an environment holds is counted."""

from __future__ import annotations

import msgspec
import pytest

from isobay.catalog import Import
from isobay.errors import NotFoundError


def test_an_import_is_kept_with_its_iso(shelf):
    """It is found by its ISO, can be given another version, and goes with the ISO."""
    catalog = shelf.catalog
    iso, other = shelf.add(), shelf.add()
    with catalog.writing() as tx:
        catalog.imports.add(tx, Import(iso.id, "sealed"))
        catalog.imports.add(tx, Import(other.id, "sealed too", "{}"))
        catalog.imports.set_version(tx, iso.id, '{"etag": "x"}')
        assert catalog.imports.get(tx, iso.id) == Import(iso.id, "sealed", '{"etag": "x"}')
    shelf.delete(iso.id)
    with catalog.reading() as tx:
        assert catalog.imports.get(tx, iso.id) is None
        assert catalog.imports.get(tx, other.id) == Import(other.id, "sealed too", "{}")


def test_an_iso_is_found_wherever_it_is(shelf):
    """By its id alone an ISO is found with its environment and object, whichever environment it belongs to."""
    far = shelf.add("elsewhere")
    with shelf.catalog.reading() as tx:
        kept = shelf.catalog.isos.by_id(tx, far.id)
        assert (kept.iso, kept.environment_id, kept.object_id) == (far, "environment-3", f"object-{far.id[:8]}")
        assert shelf.catalog.isos.by_id(tx, "none") is None


def test_an_iso_may_get_other_bytes(shelf):
    """Writing an ISO anew keeps its bytes unless others are named."""
    iso = shelf.add()
    isos = shelf.catalog.isos
    with shelf.catalog.writing() as tx:
        isos.replace(tx, shelf.place(tx=tx), msgspec.structs.replace(iso, name="Kept"))
        assert isos.by_id(tx, iso.id).object_id == f"object-{iso.id[:8]}"
        isos.replace(tx, shelf.place(tx=tx), msgspec.structs.replace(iso, name="Changed"), "object-new")
        assert (isos.by_id(tx, iso.id).iso.name, isos.by_id(tx, iso.id).object_id) == ("Changed", "object-new")
        assert isos.needs(tx, "object-new")


def test_an_iso_that_was_deleted_cannot_be_written(shelf):
    """Who worked on an ISO that somebody deleted is told so, and it does not come back."""
    iso = shelf.add()
    shelf.delete(iso.id)
    with pytest.raises(NotFoundError), shelf.catalog.writing() as tx:
        shelf.catalog.isos.replace(tx, shelf.place(tx=tx), iso)

    assert shelf.all() == []


def test_an_environment_s_usage_is_what_it_holds(shelf):
    """The count and the bytes are of the environment's own ISOs, public ones too; an empty one holds nothing."""
    shelf.add(size=3)
    shelf.add(size=1 << 40, visibility="public")
    shelf.add("beside", size=5)
    with shelf.catalog.reading() as tx:
        assert shelf.catalog.isos.usage(tx, "environment-1") == (2, (1 << 40) + 3)
        assert shelf.catalog.isos.usage(tx, "environment-3") == (0, 0)
