"""The words everyone shares: what comes in, what goes out, what one turn holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
    """A customer's message as a channel translated it; (channel, sender, id) is unique. `sent_at` is aware."""

    channel: str
    sender: str
    id: str
    text: str
    sent_at: datetime


@dataclass(frozen=True)
class Button:
    """A choice offered to the customer: what it shows and what it means."""

    title: str
    payload: str


@dataclass(frozen=True)
class Outbound:
    """One message to the customer."""

    text: str
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True)
class Turn:
    """The dialogue's answer to one message; `handoff` is the reason 转人工原因, or None to stay with the bot."""

    replies: tuple[Outbound, ...]
    handoff: str | None = None


@dataclass(frozen=True)
class Message:
    """A stored message; `seq` counts from 1 without gaps within its conversation. `at` is aware UTC."""

    seq: int
    speaker: Speaker
    text: str
    buttons: tuple[Button, ...]
    at: datetime
