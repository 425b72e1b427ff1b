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


@dataclass(frozen=True)
class Inbound:
    """A customer's message as a channel translated it; (channel, sender, id) is unique. `sent_at` is aware.

    `payload` is set when the customer pressed a button; it counts only if that button was offered in this conversation,
    otherwise it is text like any other.
    """

    channel: str
    sender: str
    id: str
    text: str
    sent_at: datetime
    payload: str | None = None


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

    A card is JSON: {"kind": "bill"|"outage"|"ticket"|…, "title": str, "rows": [[label, value], …], "as_of": str, …}.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    card: Card | None = None


@dataclass(frozen=True)
class Turn:
    """The dialogue's answer to one message; `handoff` is the reason 转人工原因, or None to stay with the bot."""

    replies: tuple[Outbound, ...]
    handoff: str | None = None


@dataclass(frozen=True)
class Message:
    """A stored message; `seq` counts from 1 without gaps within its conversation. `at` is aware UTC.

    `undelivered` says why it could not reach the customer, None when it did or still may.
    """

    seq: int
    speaker: Speaker
    text: str
    buttons: tuple[Button, ...]
    at: datetime
    card: Card | None = None
    undelivered: str | None = None
