"""The bot's responses for what is said without Rasa: notices that nobody asked for."""

from __future__ import annotations

from bot.dialogue.responses import Responses
from bot.message import Button, Outbound


class Sentences:
    """Fills a response's `{name}`s; the sentences stay in the dialogue's files."""

    def __init__(self, responses: Responses) -> None:
        """`responses` as Rasa says them."""
        self._responses = responses

    def fill(self, response: str, **values: str) -> Outbound:
        """The response with its buttons; raises `KeyError` naming a response or value that is missing."""
        found = self._responses.now()[response][0]
        buttons = tuple(Button(b["title"], b["payload"]) for b in found.get("buttons") or ())
        return Outbound(found["text"].format(**values), buttons)

    def titles(self, response: str) -> dict[str, str]:
        """What the buttons of a response say, by the intent they mean."""
        return {button.payload.lstrip("/"): button.title for button in self.fill(response).buttons}
