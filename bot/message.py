"""The words everyone shares: what comes in, what goes out, what one turn holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

Card = Mapping[str, Any]


class Owner(StrEnum):
    """Who answers a conversation 会话: the bot, the waiting queue, or an agent 坐席."""

    BOT = "bot"
    QUEUE = "queue"
    AGENT = "agent"


class Speaker(StrEnum):
    """Who said a message 消息."""

    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"
    SYSTEM = "system"


class Delivery(StrEnum):
    """How far a message to the customer came.

    `QUEUED` waits to go out or to be fetched; `SENT` the platform took it; `DELIVERED` the customer's page has it;
    `FAILED` it could not be given, with a reason; `EXPIRED` it waited too long. `NONE` is the customer's own.
    """

    NONE = "none"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Attachment:
    """What came beside the text: `kind` is image, voice, video, file or location.

    `ref` names the content among our files, "" while only the platform has it; `source` is what its channel needs to
    bring it in, "" where there is nothing to bring; `note` tells the agent why it never came. Degrees are WGS-84 or as
    the platform gives them.
    """

    kind: str
    ref: str = ""
    name: str = ""
    mime: str = ""
    size: int = 0
    latitude: float | None = None
    longitude: float | None = None
    source: str = ""
    note: str = ""

    @property
    def awaited(self) -> bool:
        """The platform still holds the content."""
        return bool(self.source) and not self.ref and not self.note


@dataclass(frozen=True)
class Inbound:
    """A customer's message as a channel translated it; (channel, sender, id) is unique. `sent_at` is aware.

    `payload` is set when the customer pressed a button; it counts only if that button was offered in this conversation,
    otherwise it is text like any other. `choice` names such a button by the message's seq and its place in it (from 0).
    `platform_id` is the platform's own id of the message, by which it may later be edited.
    """

    channel: str
    sender: str
    id: str
    text: str
    sent_at: datetime
    payload: str | None = None
    choice: tuple[int, int] | None = None
    attachments: tuple[Attachment, ...] = ()
    platform_id: str | None = None


@dataclass(frozen=True)
class Receipt:
    """Where a received message was stored; a repeated message gets the first one's receipt."""

    conversation: int
    seq: int


@dataclass(frozen=True)
class Button:
    """A choice offered to the customer: what it shows and what it means (Rasa's `/intent` or plain text)."""

    title: str
    payload: str


@dataclass(frozen=True)
class Outbound:
    """One message to the customer; `card` holds the same figures as `text` for channels that can draw them.

    `key` is the same for every try to deliver this message. A card is JSON, every value text ready to be shown:
    {"kind", "title", "rows": [[label, value], …], "as_of": str | null, "source"?, "chart"?: [[label, figure], …]};
    a chart runs from old to new. Kinds; a channel that does not know one shows title and rows:

    - "bill": a month's lines; chart: up to twelve months ["2025-11", "172.46"], yuan.
    - "usage": chart: kWh by day ["11月3日", "10.3"] or month ["2026-10", "293.3"].
    - "outage": what is known of one outage, or the number of a fault report 报修单号.
    - "ticket": number and promise, or the state of each ticket.
    - "payment": one order 缴费订单.
    - "hall", "station": one row for each place, nearest first.

    `attachments` are pictures among our files; `text` then only stands for them where none can be shown.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    card: Card | None = None
    key: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What a model read in a message 识别结果: intents with their confidence (0 to 1), best first, and entities.

    An entity is {"entity", "value", "start", "end"}; `model` is the version that read, `fallback` whether the turn was
    answered as not understood. `ranking` holds at least one intent.
    """

    ranking: tuple[tuple[str, float], ...]
    entities: tuple[Mapping[str, Any], ...]
    model: str
    fallback: bool = False

    @property
    def intent(self) -> str:
        """The most probable intent."""
        return self.ranking[0][0]

    @property
    def confidence(self) -> float:
        """How probable it is."""
        return self.ranking[0][1]

    @property
    def second(self) -> str | None:
        """The runner-up."""
        return self.ranking[1][0] if len(self.ranking) > 1 else None

    @property
    def margin(self) -> float:
        """How far the runner-up lies behind."""
        return self.confidence - (self.ranking[1][1] if len(self.ranking) > 1 else 0.0)


@dataclass(frozen=True)
class Turn:
    """The dialogue's answer to one message; `handoff` is the reason 转人工原因, or None to stay with the bot.

    `reading` is None where no model read the message: danger, shortcuts, a dialogue that failed.
    """

    replies: tuple[Outbound, ...]
    handoff: str | None = None
    reading: Reading | None = None


@dataclass(frozen=True)
class Message:
    """A stored message; `seq` counts from 1 without gaps within its conversation. `at` is aware UTC.

    `undelivered` says why it could not reach the customer, None when it did or still may; `doubt` why a sent one may
    not be there, or be there twice. `original` is what the customer first wrote, if they edited it. `inbound_id` is
    the id under which the channel gave a customer's message.
    """

    seq: int
    speaker: Speaker
    text: str
    buttons: tuple[Button, ...]
    at: datetime
    card: Card | None = None
    undelivered: str | None = None
    delivery: Delivery = Delivery.NONE
    attachments: tuple[Attachment, ...] = ()
    original: str | None = None
    doubt: str | None = None
    inbound_id: str | None = None
