"""The handler of imports: what it needs, and how one attempt ends."""

from __future__ import annotations

from msgspec import Struct

from isobay.catalog import Catalog
from isobay.engines.local.arrival_record import ArrivalRecord
from isobay.engines.local.import_attempt import Attempt, Tools
from isobay.engines.local.importing import Imports
from isobay.tasks import LostError, Work


class Importer(Struct, frozen=True):
    """Works on the tasks that bring ISOs from URLs."""

    catalog: Catalog
    imports: Imports
    tools: Tools

    def __call__(self, work: Work) -> None:
        """Work on one import."""
        with self.catalog.reading() as tx:
            found = self.catalog.imports.get(tx, work.task.subject)
            kept = self.catalog.isos.by_id(tx, work.task.subject)
        if found is None or kept is None:
            raise LostError  # deleted meanwhile, and its task was ended with it
        record = ArrivalRecord(self.catalog, self.tools.quota, kept.iso.id)
        attempt = Attempt(self.tools, work, record)
        attempt.run(self.imports.request(found), kept.object_id, found.version)
