"""How often someone may do something."""

from __future__ import annotations

import time
from collections import defaultdict, deque


class Allowance:
    """At most `most` events a minute for each key."""

    def __init__(self, most: int) -> None:
        """Nothing used yet."""
        self._most = most
        self._used: defaultdict[str, deque[float]] = defaultdict(deque)
        self._swept = time.monotonic()

    def take(self, key: str) -> bool:
        """Use one, if the last minute has room."""
        now = time.monotonic()
        self._sweep(now)
        used = self._used[key]
        while used and used[0] < now - 60:
            used.popleft()
        if len(used) >= self._most:
            return False
        used.append(now)
        return True

    def _sweep(self, now: float) -> None:
        if now - self._swept > 60:
            self._swept = now
            for key in [key for key, used in self._used.items() if not used or used[-1] < now - 60]:
                del self._used[key]
