"""Links that let whoever has them fetch one ISO for a while: signed, and kept nowhere."""

from __future__ import annotations

import struct
from time import time
from uuid import UUID

from msgspec import Struct

from isobay.errors import NotFoundError
from isobay.transfer.tokens import Tokens

_PURPOSE = b"isobay download links 1"
_CONTENT = struct.Struct(">16s16sQ")


class Link(Struct, frozen=True):
    """What a link leads to: an ISO as it is seen from an environment, until a time in seconds since 1970."""

    iso_id: str
    environment_id: str
    expires: int


class Links:
    """Signs links and reads them."""

    def __init__(self, secret: str) -> None:
        self._tokens = Tokens(secret, _PURPOSE, _CONTENT)

    def token(self, link: Link) -> str:
        """The token of a link: the same each time for the same link."""
        return self._tokens.sign(UUID(link.iso_id).bytes, UUID(link.environment_id).bytes, link.expires)

    def read(self, token: str) -> Link:
        """What a token leads to. Raises NotFoundError, with one sentence for all of them, for what is none of ours."""
        values = self._tokens.read(token)
        if values is None:
            raise no_such_link()
        iso, environment, expires = values
        if expires <= time():
            raise no_such_link()
        return Link(str(UUID(bytes=iso)), str(UUID(bytes=environment)), expires)


def no_such_link() -> NotFoundError:
    """The answer for a link that leads nowhere, whether it never did or does no more."""
    return NotFoundError("This link leads nowhere, or does no more. Ask for a new one.", type="downloads")
