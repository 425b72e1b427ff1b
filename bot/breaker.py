"""A circuit breaker 熔断: a platform that keeps failing is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 5
FIRST_REST = 5.0
LONGEST_REST = 60.0


class Breaker:
    """Closed until `FAILURES` in a row; then open for 5, 10, … 60 seconds, and after each one try is let through."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` in seconds."""
        self._clock = clock
        self._failures = 0
        self._rest = FIRST_REST
        self._until: float | None = None

    @property
    def open(self) -> bool:
        """Nothing should be tried now."""
        return self._until is not None and self._clock() < self._until

    @property
    def trying(self) -> bool:
        """It was open: one try shows whether the platform is back."""
        return self._until is not None and not self.open

    def succeeded(self) -> None:
        """The platform answered: closed."""
        self._failures, self._rest, self._until = 0, FIRST_REST, None

    def failed(self) -> None:
        """One more failure; may open."""
        if self.trying:
            self._rest = min(self._rest * 2, LONGEST_REST)
        self._failures += 1
        if self._failures >= FAILURES and not self.open:
            self._until = self._clock() + self._rest
