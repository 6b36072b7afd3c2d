"""ISOs are kept as they were given, and seen only from where they may be."""

from __future__ import annotations

import msgspec
import pytest

from isobay.errors import InvalidFieldsError
from isobay.model.iso import DESCRIPTION_LENGTH, NAME_LENGTH


def test_an_iso_comes_back_as_it_was_given(shelf):
    """Every field of an ISO survives the database."""
    given = shelf.add(
        name="Ünïcode — ディスク 💿 'quoted\" \\ %_",
        description="two\nlines\tand a tab",
        size=(1 << 63) - 1,
        checksums={"sha256": "00" * 32, "md5": "ff" * 16},
        boot_modes=["bios", "uefi"],
        formats=["iso9660", "udf"],
        available_in_zones=["zone-1", "zone-2"],
        progress=0.125,
        live=True,
    )

    assert shelf.get(given.id) == given
    assert shelf.page().items == [given]


def test_the_object_and_the_environment_are_kept_beside(shelf):
    """What holds the bytes, and whose the ISO is, is told to the engine and nowhere in the ISO."""
    given = shelf.iso()
    with shelf.catalog.writing() as tx:
        shelf.catalog.isos.add(tx, shelf.place("here", tx), given, "the-object")

    with shelf.catalog.reading() as tx:
        kept = shelf.catalog.isos.get(tx, shelf.place("here", tx), given.id)
        assert shelf.catalog.isos.needs(tx, "the-object")
        assert not shelf.catalog.isos.needs(tx, "another-object")

    assert (kept.iso, kept.environment_id, kept.object_id) == (given, "environment-1", "the-object")


def test_the_longest_texts_fit_every_index(shelf):
    """A name and a description of the longest length, each character four bytes, can be stored and sorted by."""
    digits = "🀀🀁🀂🀃🀄🀅🀆🀇🀈🀉🀊🀋🀌🀍🀎🀏"
    scattered = "".join(digits[(n * n * 31 + n * 7 + n // 5) % 16] for n in range(DESCRIPTION_LENGTH))
    given = shelf.add(name=scattered[:NAME_LENGTH], description=scattered)

    assert len(given.description.encode()) == 4 * DESCRIPTION_LENGTH
    assert shelf.page(sort_by="description").items == [given]
    assert shelf.page(filters=(("name", given.name),), sort_by="name").items == [given]


def test_a_replaced_iso_is_found_by_its_new_values_only(shelf):
    """Replacing writes the ISO and everything it is found by, and does not move it in the order of creation."""
    before = shelf.add(name="before", bootable=False)
    shelf.add(name="later")
    after = msgspec.structs.replace(before, name="after", bootable=True)
    with shelf.catalog.writing() as tx:
        shelf.catalog.isos.replace(tx, shelf.place("here", tx), after)

    assert shelf.get(before.id) == after
    assert shelf.page(filters=(("name", "before"),)).items == []
    assert shelf.page(filters=(("bootable", True),)).items == [after]
    assert [iso.name for iso in shelf.page().items] == ["after", "later"]


def test_a_deleted_iso_is_gone(shelf):
    """A deleted ISO is neither got nor listed, and its object is needed no more."""
    given, other = shelf.add(name="given"), shelf.add(name="other")
    shelf.delete(given.id)

    assert shelf.get(given.id) is None
    assert shelf.page().items == [other]
    with shelf.catalog.reading() as tx:
        assert not shelf.catalog.isos.needs(tx, f"object-{given.id[:8]}")
        assert shelf.catalog.isos.needs(tx, f"object-{other.id[:8]}")


@pytest.mark.parametrize(
    ("visibility", "seen_from"),
    [
        ("private", {"here"}),
        ("shared", {"here"}),
        ("public", {"here", "beside"}),
    ],
)
def test_an_iso_is_seen_where_its_visibility_says(shelf, visibility, seen_from):
    """Private ISOs stay in their environment, public ones in their connection, however they are asked for."""
    given = shelf.add("here", visibility=visibility, name="given")

    for name in ("here", "beside", "elsewhere"):
        expected = [given] if name in seen_from else []
        assert [shelf.get(given.id, name)] == (expected or [None])
        assert shelf.all(name) == expected
        assert shelf.page(name).items == expected
        assert shelf.page(name).total == len(expected)
        assert shelf.page(name, sort_by="name", order="DESC").items == expected
        assert shelf.page(name, filters=(("id", given.id),)).items == expected
        assert shelf.page(name, search="given").items == expected


def test_a_change_of_visibility_moves_the_iso(shelf):
    """An ISO made public appears beside, and one made private again goes from there, with its totals."""
    given = shelf.add("here")
    for visibility, beside in (("public", 1), ("private", 0), ("public", 1)):
        with shelf.catalog.writing() as tx:
            changed = msgspec.structs.replace(given, visibility=visibility)
            shelf.catalog.isos.replace(tx, shelf.place("here", tx), changed)

        assert shelf.page("beside").total == beside
        assert len(shelf.all("beside")) == beside
        assert shelf.page("here").items == [changed]
        assert shelf.page("elsewhere").total == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * (DESCRIPTION_LENGTH + 1)),
        ("volume_label", "a\0b"),
        ("os_version", "\ud800"),
        ("os_variant", "x" * 1_000_000),
        ("size", 1 << 63),
        ("os_type_id", "x" * 37),
    ],
)
def test_what_a_database_cannot_hold_is_refused(shelf, field, value):
    """What an image claims may be of any length and any characters: the error names the field, and nothing is kept."""
    with pytest.raises(InvalidFieldsError) as caught:
        shelf.add(**{field: value})

    assert list(caught.value.context["fields"]) == [field]
    assert shelf.page().total == 0


def test_an_iso_that_could_not_be_read_again_is_refused(shelf):
    """An ISO that breaks its own rules never becomes the row that breaks a list."""
    given = shelf.add()
    for broken in ({"name": ""}, {"progress": 2.0}, {"status": "unheard of"}):
        with pytest.raises(InvalidFieldsError), shelf.catalog.writing() as tx:
            shelf.catalog.isos.replace(tx, shelf.place("here", tx), msgspec.structs.replace(given, **broken))

    assert shelf.page().items == [given]
