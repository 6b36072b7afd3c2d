"""What was done or refused, by whom, and from where."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct


class Activity(Struct, rename="camel", kw_only=True, frozen=True):
    """One change that somebody asked for."""

    id: str
    created: Annotated[str, Meta(description="RFC 3339, UTC")]
    operation: Annotated[str, Meta(description="What was asked for, as noun.verb")]
    key_id: Annotated[str, Meta(description="The key it was asked with; empty for the machine's operator")]
    key_name: str
    environment_id: str
    object_id: str
    object_name: str
    details: dict[str, Any] = {}
    address: Annotated[str, Meta(description="Where it was asked from; empty for the machine itself")] = ""
    result: Annotated[str, Meta(description="SUCCESS, or the code of the error that refused it")] = "SUCCESS"
