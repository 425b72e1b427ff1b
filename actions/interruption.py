"""What every form does when the customer says something it did not ask for.

Small talk is answered and the form asks again; another matter, 算了 or a wish for a person leaves the form; what is not
understood is asked once more, and the second time a person takes over.
"""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.follow import said_useless
from actions.speech import Events, intent, said
from bot import safety

LEFT, STOPPED = "left", "stopped"
DENIALS, SHORT = ("deny", "report_safety_hazard"), 8
# small talk, and what is said to it
SMALL_TALK = {
    "greet": "utter_greet",
    "bot_challenge": "utter_bot_challenge",
    "ask_capabilities": "say_ask_capabilities",
    "find_account_no": "utter_find_account_no",
}


def resumes(dispatcher: CollectingDispatcher, tracker: Tracker) -> bool:
    """Whether the form goes on after this; small talk is answered here, and 「没用」 with the offer of a person."""
    about = intent(tracker)
    if said_useless(said(tracker)):
        dispatcher.utter_message(response="say_no_help")
        return True
    if about in SMALL_TALK:
        dispatcher.utter_message(response=SMALL_TALK[about])
    if about in DENIALS and len(said(tracker)) <= SHORT and safety.denied(said(tracker)):
        dispatcher.utter_message(response="say_no_danger")
        return True
    return about in SMALL_TALK or about == "affirm"


def missed(dispatcher: CollectingDispatcher, tracker: Tracker) -> Events | None:
    """None for the first answer in a form that was not understood; the second ends the form with a handoff."""
    if not tracker.get_slot("misses"):
        return None
    dispatcher.utter_message(response="say_handoff_misses")
    dispatcher.utter_message(json_message={"handoff": "two misses"})
    return [SlotSet("topic", STOPPED), SlotSet("requested_slot", None)]
