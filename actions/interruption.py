"""What every form does when the customer says something it did not ask for.

Small talk is answered and the form asks again; another matter, 算了 or a wish for a person leaves the form; what is not
understood is asked once more, and the second time a person takes over.
"""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.speech import Events, intent

LEFT, STOPPED = "left", "stopped"
SMALL_TALK = frozenset("greet bot_challenge ask_capabilities find_account_no".split())


def resumes(dispatcher: CollectingDispatcher, tracker: Tracker) -> bool:
    """Whether the form goes on after this; small talk is answered here."""
    about = intent(tracker)
    if about in SMALL_TALK:
        dispatcher.utter_message(response=f"utter_{about}")
    return about in SMALL_TALK or about == "affirm"


def missed(dispatcher: CollectingDispatcher, tracker: Tracker) -> Events | None:
    """None for the first answer in a form that was not understood; the second ends the form with a handoff."""
    if not tracker.get_slot("misses"):
        return None
    dispatcher.utter_message(response="say_handoff_misses")
    dispatcher.utter_message(json_message={"handoff": "two misses"})
    return [SlotSet("topic", STOPPED), SlotSet("requested_slot", None)]
