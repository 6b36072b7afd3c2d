"""How many requests a caller may make in a minute: by its key, and by its address."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from ipaddress import IPv6Address, IPv6Network
from math import ceil
from time import monotonic
from typing import Any

import msgspec

from isobay.errors import RateError
from isobay.http.endpoint import JSON, presented_key
from isobay.http.failures import envelope
from isobay.http.paths import ASGIApp
from isobay.http.responses import Whole

MINUTE = 60.0
CALLERS_KEPT = 65_536
UNCOUNTED = frozenset({"/healthz", "/readyz"})  # what asks there must not take a service for dead that is busy
_ROUNDING = 1e-6


class Rate:
    """A bucket for each caller: a minute's requests at once, and then as many as a minute lets flow in again.

    Of each the moment is kept in which it would be full again (the virtual scheduling algorithm of ITU-T I.371).
    """

    def __init__(self, per_minute: int, callers_kept: int = CALLERS_KEPT) -> None:
        self.per_minute = per_minute
        self._gap = MINUTE / per_minute
        self._callers_kept = callers_kept
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def wait(self, caller: Hashable, now: float) -> float:
        """Count a request and give 0, or leave it uncounted and give the seconds after which it would be let in."""
        full_at = max(self._full_at.get(caller, now), now) + self._gap
        wait = full_at - now - MINUTE
        if wait > _ROUNDING:
            return wait
        self._full_at[caller] = full_at
        self._full_at.move_to_end(caller)
        if len(self._full_at) > self._callers_kept:
            self._full_at.popitem(last=False)  # whoever was silent for longest has the fullest bucket
        return 0.0


class Limited:
    """Wraps the application. Each process counts what it answers itself; 0 is no limit."""

    def __init__(self, app: ASGIApp, per_minute_address: int, per_minute_key: int) -> None:
        self._app = app
        self._addresses = Rate(per_minute_address) if per_minute_address else None
        self._keys = Rate(per_minute_key) if per_minute_key else None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, or answer it with 429."""
        error = self._refusal(scope) if scope["path"] not in UNCOUNTED else None
        if error is None:
            await self._app(scope, receive, send)
            return
        headers = {"Retry-After": str(error.context["seconds"])}
        await Whole(msgspec.json.encode(envelope(error)), error.status, JSON, headers)(scope, receive, send)

    def _refusal(self, scope: Mapping[str, Any]) -> RateError | None:
        now = monotonic()
        if self._addresses and scope.get("client"):
            wait = self._addresses.wait(neighbourhood(scope["client"][0]), now)
            if wait:
                return _too_many("address", self._addresses, wait)
        key = presented_key(scope["headers"]) if self._keys else None
        if self._keys and key:
            wait = self._keys.wait(hash(key), now)  # not the key itself: it need not stay in memory
            if wait:
                return _too_many("key", self._keys, wait)
        return None


def neighbourhood(address: str) -> str:
    """The address, or of IPv6 the network of 64 bits that one customer has whole (RFC 6177)."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address)
    except ValueError:  # what a trusted proxy says need not be an address
        return address
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))


def _too_many(what: str, rate: Rate, wait: float) -> RateError:
    seconds = ceil(wait)
    return RateError(
        f"More than {rate.per_minute} requests came from this {what} in a minute. Wait {seconds} seconds, or ask the "
        f"operator to raise ISOBAY_REQUESTS_PER_MINUTE_{what.upper()}.",
        limit=rate.per_minute,
        of=what,
        seconds=seconds,
    )
