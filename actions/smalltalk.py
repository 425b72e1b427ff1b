"""A value that nobody asked for."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.speech import Events


class ActionInform(Action):
    """A bare number or place: asks what it is for."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_inform"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Offers the common questions as buttons."""
        dispatcher.utter_message(response="utter_inform")
        return []
