"""An operating system that an ISO can be said to hold."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class OsType(Struct, rename="camel", kw_only=True, frozen=True):
    """An OS type: one of libosinfo's operating systems, or a generic one ("Other (64-bit)")."""

    id: str
    name: str
    os_id: Annotated[str, Meta(description="The libosinfo id; empty for the generic ones")] = ""
