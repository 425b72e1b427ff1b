"""To a person: asked for, or after two misses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import FollowupAction
from rasa_sdk.executor import CollectingDispatcher

from actions.complaint import noted
from actions.follow import (
    asked_again,
    asks_hot_line,
    how_long_of,
    last_said,
    not_reached,
    outage_goes_on,
    service_goes_on,
)
from actions.outage import answer_awaited
from actions.outage_watch import OutageWatch
from actions.policy import facts
from actions.speech import Events, said
from actions.verification import Verification
from triage.queue import TicketQueue

OFFERED = 3


class ActionHandoff(Action):
    """The customer asked for a person."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_handoff"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """The handoff is returned in the turn; the service changes the owner at its end."""
        dispatcher.utter_message(response="say_handoff")
        dispatcher.utter_message(json_message={"handoff": "customer asked"})
        return []


class ActionOfferPerson(Action):
    """「没用」 and 「打不通」: a person, or a ticket."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_offer_person"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Both as buttons."""
        response = "say_not_reached" if not_reached(said(tracker)) else "say_unsolved"
        offers = {"登记诉求": "/file_complaint", "转人工": "/request_human"}
        dispatcher.utter_message(
            response=response, buttons=[{"title": name, "payload": leads} for name, leads in offers.items()]
        )
        return []


class ActionFallback(Action):
    """Not understood: the three likeliest topics as buttons once, then a person and a ticket; never a third time."""

    def __init__(
        self, titles: Callable[[], Mapping[str, str]], queue: TicketQueue, watch: OutageWatch,
        verification: Verification,
    ) -> None:  # fmt: skip
        """`titles`: what the button of each intent says."""
        self._titles = titles
        self._queue = queue
        self._watch = watch
        self._verification = verification

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_fallback"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """The second miss in a row is a handoff; the turn's end opens its ticket."""
        if await answer_awaited(dispatcher, tracker, self._watch, self._queue, self._verification):
            return []
        if again := asked_again(tracker):
            return again
        if how_long_of(tracker) is not None:
            return [FollowupAction("action_how_long")]
        if going_on := outage_goes_on(tracker):
            return going_on
        if (service := service_goes_on(tracker)) is not None:
            dispatcher.utter_message(response=service, **facts())
            return []
        if await noted(dispatcher, tracker, self._queue):
            return []
        if asks_hot_line(tracker):
            dispatcher.utter_message(response="say_hot_line")
            return []
        if last_said(tracker) == "say_rephrase":
            dispatcher.utter_message(response="say_handoff_misses")
            dispatcher.utter_message(json_message={"handoff": "two misses"})
            return []
        ranked = [str(one.get("name")) for one in tracker.latest_message.get("intent_ranking") or ()]
        titles = self._titles()
        likely = [name for name in dict.fromkeys(ranked) if name in titles and name != "request_human"][:OFFERED]
        names = [*likely, *(name for name in titles if name not in likely)][:OFFERED]
        buttons = [{"title": titles[name], "payload": f"/{name}"} for name in [*names, "request_human"]]
        dispatcher.utter_message(response="say_rephrase", buttons=buttons)
        return []
