"""Work that a caller can follow."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

TaskStatus = Literal["PENDING", "SUCCESS", "FAILED"]


class Task(Struct, rename="camel", kw_only=True, frozen=True):
    """One piece of work: what it is, how far it came, and what came of it. Byte counts are bytes.

    ``subject`` is the id of what is worked on. ``attempt`` counts how often the work was begun, and fences
    those who began it earlier. ``cancelled``: somebody asked to stop it.
    """

    id: str
    kind: str
    status: TaskStatus
    created: str
    ended: str = ""
    environment_id: str = ""
    subject: str = ""
    attempt: int = 0
    cancelled: bool = False
    progress: float = 0.0
    message: str = ""
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_second: int = 0
    result: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = []
