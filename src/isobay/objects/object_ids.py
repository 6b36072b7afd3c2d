"""The ids of objects, and of nothing else."""

from __future__ import annotations

import re

from isobay.errors import StorageError

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: str) -> bool:
    """Whether it is an id of ours."""
    return _ID.fullmatch(text) is not None


def checked(object_id: str) -> str:
    """The id. Raises StorageError for what is none, before a path or a key is made of it."""
    if not is_id(object_id):
        raise StorageError(f"The catalogue names an object {object_id!r}, which is no id of ours.")
    return object_id
