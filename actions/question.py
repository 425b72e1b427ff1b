"""A question about an account, and what answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from rasa_sdk.executor import CollectingDispatcher

from actions.policy import facts
from actions.speech import card

Button = Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """What was asked (`topic`, an intent) in which words; `account_no` is verified, or None for a general answer.

    `seq` is the message's own number, `month` ("YYYY-MM") the one it names, `threshold` "kind:value" of an alert.
    """

    dispatcher: CollectingDispatcher
    conversation: int
    seq: int
    topic: str
    text: str
    account_no: str | None = None
    month: str | None = None
    threshold: str | None = None

    def say(self, response: str, buttons: Iterable[Button] = (), **values: str) -> None:
        """One of the domain's responses with its values; those of policy.yml are always at hand."""
        self.dispatcher.utter_message(
            response=response, buttons=[dict(button) for button in buttons] or None, **{**facts(), **values}
        )

    def card(
        self, kind: str, title: str, rows: Iterable[tuple[str, str]], as_of: datetime | None, **more: object
    ) -> None:
        """A card that joins the sentence said before it; see `bot.message.Outbound` for the kinds."""
        shown = card(kind, title, rows, as_of)
        shown["card"].update(more)
        self.dispatcher.utter_message(json_message=shown)


Answer = Callable[[Question], Awaitable[None]]
