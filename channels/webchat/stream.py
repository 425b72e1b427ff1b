"""What a connection reads: the messages after the last `seq` it has, who owns the conversation, who types.

A connection pulls, so a client has each message once and in order after any reconnect; a bell is only a hint to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from bot.bell import Bell, Event, Rings, conversation_topic
from bot.conversation import Conversations
from bot.files import Files
from bot.message import Delivery, Owner
from channels.webchat import frames

LOOK_EVERY = 2.0

Frame = dict[str, Any]
Position = Callable[[int], Awaitable[int | None]]


class Stream:
    """The reading side of the web channel."""

    def __init__(
        self, channel: str, conversations: Conversations, bell: Bell, position: Position, files: Files
    ) -> None:
        """`position` says how many wait before a conversation, None when it does not wait."""
        self._channel = channel
        self._conversations = conversations
        self._bell = bell
        self._position = position
        self._files = files

    def stored(self, sender: str) -> None:
        """A message of this sender was stored; it may have been their first."""
        self._bell.ring(self._topic(sender))

    def typing(self, conversation: int) -> None:
        """The customer types."""
        self._bell.ring(conversation_topic(conversation), {"type": "typing", "from": "customer", "ttl": 5})

    async def find(self, sender: str) -> int | None:
        """The sender's conversation, or None before their first message."""
        return await self._conversations.find(self._channel, sender)

    async def follow(self, sender: str, after: int) -> AsyncGenerator[Frame, None]:
        """Every frame for a sender after `after`, without end."""
        conversation = await self._begun(sender)
        told: Frame | None = None
        with self._bell.listen(conversation_topic(conversation)) as rings:
            while True:
                fresh, answering = await self._conversations.look(conversation, after)
                for message in fresh:
                    yield frames.of(message, self._files)
                    after = message.seq
                if any(message.delivery is Delivery.QUEUED for message in fresh):
                    await self._conversations.delivered(conversation, after)
                owner = await self._owner(conversation, answering)
                if owner != told:
                    yield owner
                    told = owner
                # only a place in the queue changes without a ring
                async for frame in _meanwhile(rings, LOOK_EVERY if answering is Owner.QUEUE else None):
                    yield frame

    async def poll(self, sender: str, after: int, wait: float, state: str | None) -> list[Frame]:
        """The frames after `after`, waiting up to `wait` seconds for some.

        With `state` (what the client knows: "bot", "agent", "queue:3"), typing and a changed owner are told too.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(wait + 0.5):
                conversation = await self._begun(sender) if wait else await self.find(sender)
                if conversation is None:
                    return []
                if after:
                    await self._conversations.delivered(conversation, after)
                with self._bell.listen(conversation_topic(conversation)) as rings:
                    until = asyncio.get_running_loop().time() + wait
                    while True:
                        found, answering = await self._conversations.look(conversation, after)
                        owner = await self._owner(conversation, answering)
                        if found or state not in (None, _state(owner)):
                            return [*(frames.of(message, self._files) for message in found), owner]
                        left = until - asyncio.get_running_loop().time()
                        if left <= 0:
                            return []
                        event = await _ring(rings, min(left, LOOK_EVERY) if owner["owner"] == "queue" else left)
                        if state is not None and _typing(event):
                            return [dict(event)]
        return []

    async def _begun(self, sender: str) -> int:
        with self._bell.listen(self._topic(sender)) as rings:
            while (conversation := await self.find(sender)) is None:
                await rings.get()
            return conversation

    def _topic(self, sender: str) -> str:
        return f"{self._channel}:{sender}"

    async def _owner(self, conversation: int, owner: Owner) -> Frame:
        position = await self._position(conversation) if owner == Owner.QUEUE else None
        return {"type": "owner", "owner": str(owner), "position": position}


def _state(owner: Frame) -> str:
    return ":".join(str(part) for part in (owner["owner"], owner["position"]) if part is not None)


def _typing(event: Event) -> bool:
    return event.get("type") == "typing" and event["from"] != "customer"


async def _ring(rings: Rings, seconds: float | None) -> Event:
    """The next ring, or nothing after some seconds."""
    try:
        async with asyncio.timeout(seconds):
            return await rings.get()
    except TimeoutError:
        return {}


async def _meanwhile(rings: Rings, seconds: float | None) -> AsyncGenerator[Frame, None]:
    """Typing, until something else rings or the time is over; what rang by then is answered by one look."""
    event = await _ring(rings, seconds)
    while event.get("type") == "typing":
        if _typing(event):
            yield dict(event)
        event = await _ring(rings, seconds)
    while not rings.empty():
        if _typing(event := rings.get_nowait()):
            yield dict(event)
