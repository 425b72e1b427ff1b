"""Other processes ring no bell of ours: one look for all listeners finds what they changed."""

from __future__ import annotations

import asyncio
import logging

from bot.bell import Bell, conversation_topic
from bot.conversation import Conversations

EVERY = 2.0
CHUNK = 500

log = logging.getLogger(__name__)


class Watch:
    """Looks at the listened conversations' newest seq and owner token."""

    def __init__(self, conversations: Conversations, bell: Bell) -> None:
        """Nothing seen yet."""
        self._conversations = conversations
        self._bell = bell
        self._seen: dict[int, tuple[int, int]] = {}

    async def run(self) -> None:
        """Look every two seconds until cancelled; an unreachable database only delays."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except Exception:
                log.exception("could not look for changes of other processes")

    async def look(self) -> None:
        """Ring once for every listened conversation that changed since the last look or is new here."""
        listened = self._bell.conversations()
        found: dict[int, tuple[int, int]] = {}
        for start in range(0, len(listened), CHUNK):
            found.update(await self._conversations.heads(listened[start : start + CHUNK]))
        for conversation, head in found.items():
            if self._seen.get(conversation) != head:
                self._bell.ring(conversation_topic(conversation))
        self._seen = found
