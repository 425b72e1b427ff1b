"""What a channel 渠道 is: one door, translation only; implementations live in `channels`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from starlette.routing import BaseRoute

from bot.message import Inbound, Outbound, Receipt

Receive = Callable[[Inbound], Awaitable[Receipt]]


class ChannelError(Exception):
    """Root of what can go wrong at a door."""


class Rejected(ChannelError):
    """Not from the platform (bad signature, malformed): answered 403 and logged."""


class Undeliverable(ChannelError):
    """The customer blocked us or the reply window is closed: stored on the message, shown to the agent."""


class Throttled(ChannelError):
    """The platform asks to wait."""

    def __init__(self, retry_after: float) -> None:
        """`retry_after` in seconds."""
        super().__init__(f"throttled for {retry_after:g} s")
        self.retry_after = retry_after


class Channel(Protocol):
    """One door. Any other exception from `send` means "try again later"."""

    name: str

    def routes(self, receive: Receive) -> Sequence[BaseRoute]:
        """What to mount; each request is stored by `receive` before it is acknowledged."""
        ...

    async def send(self, recipient: str, message: Outbound) -> None:
        """Give one message to the platform; raises `Undeliverable` or `Throttled`."""
        ...
