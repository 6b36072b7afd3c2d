"""What isobay knows, in SQL, and the only room that speaks it.

A caller opens ``catalog.reading()`` or ``catalog.writing()`` and passes the transaction it gets to
the nouns: ``catalog.isos``, ``.environments``, ``.connections``, ``.keys``, ``.tasks``, ``.activities``.
"""

from isobay.catalog.catalog import Catalog, open_catalog
from isobay.catalog.isos import FILTER_FIELDS, SORT_FIELDS
from isobay.catalog.places import Place
from isobay.catalog.unchanged import NotRememberedError, without_waiting

__all__ = ["FILTER_FIELDS", "SORT_FIELDS", "Catalog", "NotRememberedError", "Place", "open_catalog", "without_waiting"]
