"""What is done about bytes that are missing or damaged, in the rows first: a sweep finds bytes, never a row."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from isobay.catalog import Catalog, Transaction
from isobay.catalog.isos import Kept
from isobay.clock import utc_now
from isobay.engines.local.checking import Checker, Fault, Passed
from isobay.objects import Objects


class Mender(Struct, frozen=True):
    """Mends what a checker found, where it is still so; damaged bytes stay as long as an ISO names them."""

    catalog: Catalog
    objects: Objects
    checker: Checker

    def mend(self, fault: Fault, passed: Passed) -> str:
        """Let the ISOs have an equal object that is sound, or fail where there is none.

        Gives what was done in a sentence; empty where somebody else changed an ISO meanwhile.
        """
        sound = self._equal(fault.isos[0], fault.object_id, passed)
        with self.catalog.writing() as tx:
            if self.checker.ready(tx, fault.object_id) != fault.isos:
                return ""
            if sound and self.checker.ready(tx, sound):
                for kept in fault.isos:
                    self._write(tx, kept, sound)
                left = not self.catalog.isos.needs(tx, fault.object_id)
            else:
                sound, left = "", False
                for kept in fault.isos:
                    self._fail(tx, kept, fault.found)
        if left:
            self.objects.delete(fault.object_id)
        return "The ISOs have an equal object now." if sound else "The ISOs are failed now."

    def sound_again(self, kept: Kept, passed: Passed) -> str:
        """An object with the bytes of an ISO that lost them: its own, or an equal one; empty where there is none."""
        return self.checker.sound(kept.iso, [kept.object_id], passed) or self._equal(kept, kept.object_id, passed)

    def revive(self, kept: Kept, sound: str) -> str:
        """Make an ISO ready again with a sound object; a sentence as ``mend`` gives."""
        with self.catalog.writing() as tx:
            is_there = sound == kept.object_id or self.checker.ready(tx, sound)
            if self.catalog.isos.by_id(tx, kept.iso.id) != kept or not is_there:
                return ""
            self._write(tx, kept, sound, ready=True, status="ready", status_message="", progress=1.0)
            left = not self.catalog.isos.needs(tx, kept.object_id)
        if left:
            self.objects.delete(kept.object_id)
        return "The ISO is ready again."

    def sweep(self, object_ids: set[str]) -> set[str]:
        """Delete those of some objects that nobody needs and nobody holds; which are gone."""
        self.objects.sweep(lambda found: found not in object_ids or self.checker.is_needed(found))
        return object_ids - {stored.object_id for stored in self.objects.stored()}

    def _equal(self, kept: Kept, besides: str, passed: Passed) -> str:
        iso = kept.iso
        within = kept.environment_id if self.objects.gives_links else ""  # as in ``Sharing``
        with self.catalog.reading() as tx:
            equal = self.catalog.checks.equal(tx, iso.checksums["sha256"], iso.size, within)
        return self.checker.sound(iso, [each for each in equal if each != besides], passed)

    def _fail(self, tx: Transaction, kept: Kept, found: str) -> None:
        is_import = self.catalog.imports.get(tx, kept.iso.id) is not None
        advice = "Try again (operation=retry) to fetch it anew" if is_import else "Delete the ISO and add it again"
        message = (
            f"The bytes of this ISO were checked at {utc_now()}, and {found}. {advice}; or bring them back from a "
            "backup, and run `isobay store check --repair`."
        )
        self._write(tx, kept, ready=False, status="failed", status_message=message)

    def _write(self, tx: Transaction, kept: Kept, object_id: str = "", **fields: Any) -> None:
        place = self.catalog.places.by_id(tx, kept.environment_id)
        assert place is not None, "an environment that holds ISOs is not deleted"  # noqa: S101 -- for the type checker
        iso = msgspec.structs.replace(kept.iso, **fields, updated=utc_now())
        self.catalog.isos.replace(tx, place, iso, object_id)
