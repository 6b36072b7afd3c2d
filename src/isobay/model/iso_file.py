"""A file inside an image."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class IsoFile(Struct, rename="camel", kw_only=True, frozen=True):
    """What a directory inside an image holds. ``target`` is a symbolic link's text."""

    name: str
    path: Annotated[str, Meta(description="Absolute inside the image")]
    type: Literal["file", "directory", "symlink", "other"]
    size: Annotated[int, Meta(description="Bytes")]
    modified: Annotated[str, Meta(description="RFC 3339, UTC; empty if not recorded")] = ""
    target: str = ""
