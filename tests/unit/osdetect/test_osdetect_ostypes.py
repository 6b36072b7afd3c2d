"""The OS types that the API offers."""

from __future__ import annotations

import uuid

from isobay.osdetect import GENERIC_NAMES, Rules, os_type_id, os_types


def test_ids_are_the_name_based_uuids_of_libosinfo_ids() -> None:
    """The id of a type is version 5 of the libosinfo id in the URL name space, the same everywhere and forever."""
    assert os_type_id("http://fedoraproject.org/fedora/36") == uuid.UUID("7bdc6bf2-10a2-5531-8035-ef0751cff1c1")
    assert os_type_id("Other (64-bit)") == uuid.UUID("0ec15776-3dc0-53ea-8cc3-00e2cf080e2b")


def test_every_system_and_every_generic_type_is_offered_once(debian_rules: Rules) -> None:
    """All systems of the rules are types, with the generic ones of CloudStack after them, and no id is there twice."""
    types = os_types(debian_rules)
    assert len({each.id for each in types}) == len(types) == len(debian_rules.systems) + len(GENERIC_NAMES)
    assert types[-len(GENERIC_NAMES)].name == "Other (64-bit)"
    debian = next(each for each in types if each.os_id == "http://debian.org/debian/11")
    assert (debian.name, debian.id) == ("Debian 11", os_type_id(debian.os_id))
