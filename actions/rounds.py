"""What nobody asks for: alerts, changed estimates and restorations, looked for again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

EVERY = 30.0

log = logging.getLogger(__name__)


async def rounds(looks: Sequence[Callable[[], Awaitable[int]]], every: float = EVERY) -> None:
    """Take each look, then wait `every` seconds, until cancelled; a look that fails is logged and taken again."""
    while True:
        for look in looks:
            try:
                await look()
            except Exception:
                log.exception("a round failed; it is taken again in %g s", every)
        await asyncio.sleep(every)
