"""What isobay knows, in SQL, and the only room that speaks it.

A caller opens ``catalog.reading()`` or ``catalog.writing()`` and passes the transaction it gets to
the nouns: ``catalog.isos``, ``.imports``, ``.uploads``, ``.instances``, ``.boot_proofs``, ``.environments``,
``.connections``, ``.keys``, ``.tasks``, ``.checks``, ``.activities``.
"""

from sqlalchemy import Connection as Transaction

from isobay.catalog.activities import FILTER_FIELDS as LOG_FIELDS
from isobay.catalog.catalog import Catalog, open_catalog
from isobay.catalog.imports import Import
from isobay.catalog.instances import Inserted, InstanceRecord, KeptInstance
from isobay.catalog.isos import FILTER_FIELDS, SORT_FIELDS
from isobay.catalog.places import Place
from isobay.catalog.unchanged import NotRememberedError, without_waiting
from isobay.catalog.uploads import Upload

__all__ = [
    "FILTER_FIELDS",
    "LOG_FIELDS",
    "SORT_FIELDS",
    "Catalog",
    "Import",
    "Inserted",
    "InstanceRecord",
    "KeptInstance",
    "NotRememberedError",
    "Place",
    "Transaction",
    "Upload",
    "open_catalog",
    "without_waiting",
]
