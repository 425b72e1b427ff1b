"""What every action shares: who is talking, when, and how figures and times are said."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.systems import SystemUnavailable

SHANGHAI = ZoneInfo("Asia/Shanghai")
Clock = Callable[[], datetime]
Events = list[dict[str, Any]]


def conversation(tracker: Tracker) -> int:
    """Our conversation id, which is Rasa's sender."""
    return int(tracker.sender_id)


def message_seq(tracker: Tracker) -> int:
    """The `seq` of the message being answered, which Rasa carries: what is done because of it is done once."""
    return int((tracker.latest_message.get("metadata") or {}).get("seq") or 0)


def said(tracker: Tracker) -> str:
    """The customer's latest text."""
    return str(tracker.latest_message.get("text") or "")


def intent(tracker: Tracker) -> str:
    """The latest intent's name."""
    return str((tracker.latest_message.get("intent") or {}).get("name") or "")


def entity(tracker: Tracker, name: str) -> str | None:
    """The latest message's first value of an entity, or None."""
    return next(tracker.get_latest_entity_values(name), None)


def local(at: datetime) -> str:
    """A time as customers read it: 11月24日 08:30, Shanghai time."""
    shown = at.astimezone(SHANGHAI)
    return f"{shown.month}月{shown.day}日 {shown:%H:%M}"


def month_name(month: str) -> str:
    """ "2026-10" as 2026年10月."""
    year, number = month.split("-")
    return f"{year}年{int(number)}月"


def number(value: Decimal) -> str:
    """Without a useless tail: 286, 286.5."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def card(kind: str, title: str, rows: Iterable[tuple[str, str]], as_of: datetime | None) -> dict[str, Any]:
    """A card for channels that can draw one; it joins the text said before it."""
    shown = local(as_of) if as_of else None
    return {"card": {"kind": kind, "title": title, "rows": [list(row) for row in rows], "as_of": shown}}


def say_unavailable(dispatcher: CollectingDispatcher, failure: SystemUnavailable) -> None:
    """Which information could not be got; never a figure."""
    dispatcher.utter_message(response="say_system_unavailable", system=failure.system)
