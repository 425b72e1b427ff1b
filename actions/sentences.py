"""The domain's responses for what is said without Rasa: notices that nobody asked for."""

from __future__ import annotations

from pathlib import Path

import yaml

from bot.message import Button, Outbound


class Sentences:
    """Fills a response's `{name}`s; the sentences stay in the domain files."""

    def __init__(self, domain: Path) -> None:
        """`domain`: the folder of Rasa's domain files."""
        self._responses = {
            name: variants[0]
            for file in sorted(domain.glob("*.yml"))
            for name, variants in (yaml.safe_load(file.read_text("utf-8")).get("responses") or {}).items()
        }

    def fill(self, response: str, **values: str) -> Outbound:
        """The response with its buttons; raises `KeyError` naming a response or value that is missing."""
        found = self._responses[response]
        buttons = tuple(Button(b["title"], b["payload"]) for b in found.get("buttons") or ())
        return Outbound(found["text"].format(**values), buttons)

    def titles(self, response: str) -> dict[str, str]:
        """What the buttons of a response say, by the intent they mean."""
        return {button.payload.lstrip("/"): button.title for button in self.fill(response).buttons}
