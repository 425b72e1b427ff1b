"""What a channel 渠道 is: one door, translation only; implementations live in `channels`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from starlette.routing import BaseRoute

from bot.message import Attachment, Inbound, Outbound, Receipt

Receive = Callable[[Inbound], Awaitable[Receipt]]


class ChannelError(Exception):
    """Root of what can go wrong at a door."""


class Rejected(ChannelError):
    """Not from the platform (bad signature, malformed): answered 403 and logged."""


class Undeliverable(ChannelError):
    """The customer blocked us or the reply window is closed: stored on the message, shown to the agent.

    It is tried again when the customer next writes.
    """


class Unconfirmed(ChannelError):
    """The platform took the request and did not answer in time: it is not sent again, so that nothing is doubled."""


class Gone(ChannelError):
    """The platform no longer has the content, or never gives it: the message keeps this as a note."""


class Throttled(ChannelError):
    """The platform asks to wait."""

    def __init__(self, retry_after: float) -> None:
        """`retry_after` in seconds."""
        super().__init__(f"throttled for {retry_after:g} s")
        self.retry_after = retry_after


class Channel(Protocol):
    """One door. Any other exception from `send` means "try again later".

    `pushes` is False for a door whose customers fetch what is stored; the outbox leaves its messages alone.
    """

    name: str
    pushes: bool

    def routes(self, receive: Receive) -> Sequence[BaseRoute]:
        """What to mount; each request is stored by `receive` before it is acknowledged."""
        ...

    async def run(self, receive: Receive) -> None:
        """What the door does besides answering requests, until cancelled; may return at once."""
        ...

    async def check(self) -> None:
        """Raise when the platform does not know us; for `python -m bot doctor`."""
        ...

    def parts(self, message: Outbound) -> Sequence[Outbound]:
        """The message in pieces of the platform's size, each sent (and repeated) on its own."""
        ...

    async def send(self, recipient: str, part: Outbound) -> None:
        """Give one part to the platform; raises `Undeliverable`, `Unconfirmed` or `Throttled`.

        `part.key` is the same at every try.
        """
        ...

    async def media(self, attachment: Attachment) -> bytes:
        """The content of an attachment that is still `awaited`, of any size and kind; raises `Gone`."""
        ...
