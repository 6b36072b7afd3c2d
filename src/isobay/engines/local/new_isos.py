"""What every new ISO has, whichever way it comes."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from isobay.clock import utc_now
from isobay.model import Iso, Zone


def new_iso(name: str, zones: list[Zone], *, public: bool = False, **fields: Any) -> Iso:
    """An ISO with an id of its own, that is made now and is in these zones; ``fields`` are others of ``Iso``."""
    now = utc_now()
    only = zones[0] if len(zones) == 1 else Zone("", "")
    return Iso(
        id=str(uuid4()),
        name=name,
        zone_id=only.id,
        zone_name=only.name,
        available_in_zones=[zone.id for zone in zones],
        available_publicly=public,
        visibility="public" if public else "private",
        created=now,
        updated=now,
        **fields,
    )
