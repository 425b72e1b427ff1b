"""An answer opens its own form: what needs no question is answered in one call, and only what does opens the form.

Were the form the first step of each rule, Rasa would call twice and predict twice more for every question of a
customer whose account or area is known.
"""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import ActiveLoop
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.forms import FormValidationAction

from actions.speech import Events

VALIDATES = "validate_"


def just_ran(form: str, tracker: Tracker) -> bool:
    """Whether Rasa ran `form` right before this action: it is filled or left."""
    return bool(tracker.latest_action_name == form)


async def opened(
    validation: FormValidationAction, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
) -> tuple[Events, bool]:
    """What the form of `validation` makes of a message that it was not asked for, and whether it has to ask.

    Where it asks, the events open the form, and the next message is the form's. Else `tracker` has the slots of a form
    that is filled, left or stopped. Nothing happens when the form has just run.
    """
    form = validation.name().removeprefix(VALIDATES)
    if just_ran(form, tracker):
        return [], False
    events = await validation.run(dispatcher, tracker, domain)
    tracker.slots.update({event["name"]: event["value"] for event in events if event["event"] == "slot"})
    if tracker.get_slot("requested_slot") is None:
        return events, False
    return [ActiveLoop(form), *events], True
