"""What a command did with an ISO or an instance, written into the activity log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what is heavy is loaded when a command runs
    from isobay.access import Visit
    from isobay.app import Isobay
    from isobay.model import Instance, Iso


def record(built: Isobay, visit: Visit, operation: str, subject: Iso | Instance, **details: Any) -> None:
    """Write that the operator did this to an ISO or an instance of the environment that is visited."""
    place, named = visit.place.environment_id, {"object_id": subject.id, "name": subject.name}
    built.door.record(visit.identity, operation, environment_id=place, **named, **details)
