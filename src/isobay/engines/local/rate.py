"""How fast something grows now."""

from __future__ import annotations

from collections import deque
from time import monotonic

WINDOW_SECONDS = 5.0


class Rate:
    """The mean over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, size: int) -> int:
        """Note a size in bytes; the bytes per second since a few seconds ago, 0 where it shrank."""
        now = monotonic()
        self._seen.append((now, size))
        while now - self._seen[0][0] > WINDOW_SECONDS and len(self._seen) > 2:
            self._seen.popleft()
        began, first = self._seen[0]
        return max(int((size - first) / (now - began)), 0) if now > began else 0
