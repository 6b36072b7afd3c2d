"""What callers are told where the whole sentence names a host, how it is reached, or its files: the operator's own."""

from __future__ import annotations

ASK = "Ask the operator of isobay, whom its log tells why."
AWAY = "The host of the instances cannot be reached. Its operator is told why by isobay doctor."
REFUSED = f"The host of the instances refused what it was asked for. {ASK}"
UNREADABLE = f"The host cannot read an image that a guest is to be shown. {ASK}"
MISSING = f"What speaks with the hosts of instances is not installed. {ASK}"
