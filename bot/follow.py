"""The service follows the registry: a version that is put in use is loaded beside the turns and then takes over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from prometheus_client import Counter

EVERY = 1.0
AGAIN_AFTER = 60.0

log = logging.getLogger(__name__)
_swaps = Counter("dianqiao_model_swaps", "Models that took over, or failed to, while the service ran", ["kind", "end"])


class Live(Protocol):
    """What uses a model and can take another."""

    async def using(self) -> str:
        """The version in use, "" for none; any exception means that it cannot be told now."""
        ...

    async def load(self, folder: Path) -> None:
        """Use the version in `folder` from now on; any exception means that the old one stays."""
        ...


class Follower:
    """Keeps what uses a kind of model at the version that the registry names; any number of processes may follow."""

    def __init__(self, kind: str, current: Callable[[], Path], before: Callable[[], Path | None], live: Live) -> None:
        """`current` gives the folder of the version that should be in use, or raises `LookupError`.

        `before` gives that of the version before it, which is better than none.
        """
        self.kind = kind
        self.version: str | None = None
        self.failure: str | None = None
        self._current = current
        self._before = before
        self._live = live
        self._failed: tuple[str, float] = ("", 0.0)

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("the %s model could not be followed", self.kind)
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Swap if another version should be in use; a version that failed is tried again after a minute."""
        try:
            self.version = await self._live.using()
        except Exception:
            self.version = None  # it is starting, or gone: /readyz tells
            return
        try:
            folder = self._current()
        except LookupError as error:
            self.failure = str(error)
            return
        if folder.name == self.version:
            self.failure = None
            return
        version, at = self._failed
        if version == folder.name and time.monotonic() - at < AGAIN_AFTER:
            return
        begun = time.monotonic()
        try:
            await self._live.load(folder)
        except Exception as error:
            _swaps.labels(self.kind, "failed").inc()
            self._failed, self.failure = (folder.name, time.monotonic()), f"{folder.name} cannot be used: {error}"[:300]
            log.exception("the %s model %s cannot be used; %s stays", self.kind, folder.name, self.version or "none")
            if not self.version and (before := self._before()) is not None:
                await self._live.load(before)
                self.version = before.name
        else:
            _swaps.labels(self.kind, "done").inc()
            log.warning(
                "the %s model %s took over from %s in %.1f s",
                self.kind, folder.name, self.version, time.monotonic() - begun,
            )  # fmt: skip
            self.version, self.failure = folder.name, None
