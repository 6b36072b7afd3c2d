"""What a command did with an ISO, written into the activity log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what is heavy is loaded when a command runs
    from isobay.access import Visit
    from isobay.app import Isobay
    from isobay.model import Iso


def record(built: Isobay, visit: Visit, operation: str, iso: Iso, **details: Any) -> None:
    """Write that the operator did this to an ISO of the environment that is visited."""
    built.door.record(
        visit.identity, operation, environment_id=visit.place.environment_id, object_id=iso.id, name=iso.name, **details
    )
