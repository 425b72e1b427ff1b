"""A hint, inside one process, that something changed: whoever hears it reads the database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

Event = Mapping[str, Any]
CHANGED: Event = {"type": "changed"}
QUEUE = "queue"
DESK = "desk"
MEDIA = "media"
CONVERSATION = "conversation:"


def conversation_topic(conversation: int) -> str:
    """Topic that rings when a conversation has a new message or owner, or someone types."""
    return f"{CONVERSATION}{conversation}"


class Bell:
    """Topics and who listens; `bot.watch` rings for what other processes changed."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._listeners: defaultdict[str, set[asyncio.Queue[Event]]] = defaultdict(set)

    def ring(self, topic: str, event: Event = CHANGED) -> None:
        """Tell the topic's listeners; a listener too slow to empty its queue misses the ring."""
        for listener in self._listeners.get(topic, ()):
            if not listener.full():
                listener.put_nowait(event)

    def conversations(self) -> list[int]:
        """The conversations somebody listens to."""
        return [int(topic[len(CONVERSATION) :]) for topic in self._listeners if topic.startswith(CONVERSATION)]

    @contextmanager
    def listen(self, *topics: str) -> Iterator[asyncio.Queue[Event]]:
        """A queue of the topics' events for as long as the block lasts."""
        queue: asyncio.Queue[Event] = asyncio.Queue(maxsize=32)
        for topic in topics:
            self._listeners[topic].add(queue)
        try:
            yield queue
        finally:
            for topic in topics:
                self._listeners[topic].discard(queue)
                if not self._listeners[topic]:
                    del self._listeners[topic]


async def rung(rings: asyncio.Queue[Event], within: float) -> None:
    """Wait for a ring, at most so many seconds; all that rang until then counts as one."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await rings.get()
    while not rings.empty():
        rings.get_nowait()
