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
MOST = 32


def conversation_topic(conversation: int) -> str:
    """Topic that rings when a conversation has a new message or owner, or someone types."""
    return f"{CONVERSATION}{conversation}"


class Rings:
    """What rang for one listener and was not heard yet, at most `MOST` events.

    Every open page has one: an `asyncio.Queue` takes 3 kB more.
    """

    __slots__ = ("_events", "_waiting")

    def __init__(self) -> None:
        """Nothing rang yet."""
        self._events: list[Event] = []
        self._waiting: asyncio.Future[None] | None = None

    def put(self, event: Event) -> None:
        """Ring; where `MOST` events are unheard, the newest takes the place of the last."""
        if len(self._events) == MOST:
            self._events.pop()
        self._events.append(event)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def empty(self) -> bool:
        """Whether all was heard."""
        return not self._events

    async def get(self) -> Event:
        """The next event, waiting for it; one task at a time may wait."""
        while not self._events:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self.get_nowait()

    def get_nowait(self) -> Event:
        """The next event; raises `IndexError` if all was heard."""
        return self._events.pop(0)


class Bell:
    """Topics and who listens; `bot.watch` rings for what other processes changed."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._listeners: defaultdict[str, set[Rings]] = defaultdict(set)

    def ring(self, topic: str, event: Event = CHANGED) -> None:
        """Tell the topic's listeners."""
        for listener in self._listeners.get(topic, ()):
            listener.put(event)

    def conversations(self) -> list[int]:
        """The conversations somebody listens to."""
        return [int(topic[len(CONVERSATION) :]) for topic in self._listeners if topic.startswith(CONVERSATION)]

    @contextmanager
    def listen(self, *topics: str) -> Iterator[Rings]:
        """The topics' events for as long as the block lasts."""
        rings = Rings()
        for topic in topics:
            self._listeners[topic].add(rings)
        try:
            yield rings
        finally:
            for topic in topics:
                self._listeners[topic].discard(rings)
                if not self._listeners[topic]:
                    del self._listeners[topic]


async def rung(rings: Rings, within: float) -> None:
    """Wait for a ring, at most so many seconds; all that rang until then counts as one."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await rings.get()
    while not rings.empty():
        rings.get_nowait()
