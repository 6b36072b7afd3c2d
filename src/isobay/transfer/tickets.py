"""Tickets that let whoever has them see the console of one instance within the next seconds."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from time import time
from uuid import UUID

from msgspec import Struct

from isobay.clock import written
from isobay.errors import NotFoundError
from isobay.transfer.tokens import Tokens

SECONDS = 60
_PURPOSE = b"isobay console tickets 1"
_CONTENT = struct.Struct(">16s16s16sI")
_NO_KEY = UUID(int=0)


class Ticket(Struct, frozen=True):
    """What a ticket opens: the console of an instance of an environment, for a key, or for the operator: empty.

    ``expires`` is a time in seconds since 1970.
    """

    instance_id: str
    environment_id: str
    key_id: str
    expires: int


class Tickets:
    """Signs tickets and reads them."""

    def __init__(self, secret: str) -> None:
        self._tokens = Tokens(secret, _PURPOSE, _CONTENT)

    def issue(self, instance_id: str, environment_id: str, key_id: str) -> tuple[str, str]:
        """A new ticket as it stands in a path, and until when it opens anything: RFC 3339, UTC."""
        expires = int(time()) + SECONDS
        token = self.sign(Ticket(instance_id, environment_id, key_id, expires))
        return token, written(datetime.fromtimestamp(expires, UTC))

    def sign(self, ticket: Ticket) -> str:
        """The ticket as it stands in a path."""
        key = UUID(ticket.key_id) if ticket.key_id else _NO_KEY
        ids = (UUID(ticket.instance_id), UUID(ticket.environment_id), key)
        return self._tokens.sign(*(each.bytes for each in ids), ticket.expires)

    def read(self, token: str) -> Ticket:
        """What a ticket opens. Raises NotFoundError, with one sentence for all, for none of ours and an old one."""
        values = self._tokens.read(token)
        if values is None:
            raise no_such_console()
        instance, environment, key = (UUID(bytes=each) for each in values[:3])
        expires = values[3]
        if expires <= time():
            raise no_such_console()
        return Ticket(str(instance), str(environment), str(key) if key != _NO_KEY else "", expires)


def no_such_console() -> NotFoundError:
    """The answer for a ticket that opens nothing, whether it never did or does no more."""
    return NotFoundError(
        "This ticket opens no console, or does no more. Ask for a new one with operation=getConsole.", type="consoles"
    )
