"""To a person: asked for, or after two misses."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.speech import Events


class ActionHandoff(Action):
    """The customer asked for a person."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_handoff"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """The handoff is returned in the turn; the service changes the owner at its end."""
        dispatcher.utter_message(response="utter_handoff")
        dispatcher.utter_message(json_message={"handoff": "customer asked"})
        return []


class ActionFallback(Action):
    """Not understood: asked to say it otherwise once, then handed to a person."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_fallback"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """The second miss in a row is a handoff."""
        if _missed_before(tracker):
            dispatcher.utter_message(response="utter_handoff_misses")
            dispatcher.utter_message(json_message={"handoff": "two misses"})
        else:
            dispatcher.utter_message(response="utter_rephrase")
        return []


def _missed_before(tracker: Tracker) -> bool:
    actions = [
        event["name"]
        for event in tracker.events
        if event.get("event") == "action" and event["name"] not in ("action_listen", "action_extract_slots")
    ]
    return bool(actions) and actions[-1] == "action_fallback"
