"""TicketQueue and other matters for a person: filed as tickets from the customer's own words; progress and urging."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.forms import FormValidationAction

from actions.account_form import LEFT
from actions.speech import Events, conversation, follow, intent, message_seq, said
from actions.verification import Verification
from triage.queue import TicketQueue

FILED = frozenset(
    "file_complaint payment_not_credited request_refund report_meter_problem report_frequent_outage "
    "report_voltage_problem ask_damage_compensation report_safety_hazard make_suggestion give_praise".split()
)
THANKED = frozenset(("make_suggestion", "give_praise"))
ELSEWHERE = frozenset(("request_human", "deny", "query_ticket", "urge_ticket", "goodbye"))
BARE = re.compile(
    r"我?(想|要|需要|来)*(投诉|举报|反映|登记)"
    r"(一下|下|你们|个?(问题|情况|诉求|工单))*[吧啊呀了！!。.，,\s]*"
)
LEAST_MATTER = 4


class ValidateComplaintForm(FormValidationAction):
    """Takes the matter from the first message that says what happened."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "validate_complaint_form"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """A bare 我要投诉 is asked what happened; anything longer is the matter."""
        about, asked, text = intent(tracker), tracker.get_slot("requested_slot"), said(tracker)
        if asked and about in ELSEWHERE:
            return [SlotSet("topic", LEFT), SlotSet("matter", None), SlotSet("requested_slot", None)]
        events: Events = [] if asked else [SlotSet("topic", about)]
        told = "" if text.startswith("/") else BARE.sub("", text)
        if len(told) < LEAST_MATTER:
            return [*events, SlotSet("matter", None), SlotSet("requested_slot", "matter")]
        return [*events, SlotSet("matter", text), SlotSet("requested_slot", None)]


class ActionComplaint(Action):
    """Files the matter and says the ticket's number and the promised time."""

    def __init__(self, queue: TicketQueue, verification: Verification, subjects: Mapping[str, str]) -> None:
        """`subjects`: where the customer goes on to when they leave the form."""
        self._queue = queue
        self._verification = verification
        self._subjects = subjects

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_complaint"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """File; the form's slots are emptied."""
        topic, matter = tracker.get_slot("topic"), tracker.get_slot("matter")
        done: Events = [SlotSet("topic", None), SlotSet("matter", None)]
        if topic == LEFT:
            return [*done, *follow(tracker, self._subjects)]
        if not matter:
            return done
        who = conversation(tracker)
        filed = await self._queue.file(who, message_seq(tracker), matter, await self._verification.account(who))
        response = "utter_thanks_filed" if topic in THANKED else "utter_filed"
        dispatcher.utter_message(response=response, number=filed.number, promise=filed.promise)
        rows = [["工单号", filed.number], ["承诺", filed.promise]]
        dispatcher.utter_message(
            json_message={"card": {"kind": "ticket", "title": "已登记", "rows": rows, "as_of": None}}
        )
        return done


class ActionTicketStatus(Action):
    """Says where the contact's tickets stand."""

    def __init__(self, queue: TicketQueue) -> None:
        """`queue` knows the tickets."""
        self._queue = queue

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_ticket_status"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """One line for each ticket."""
        found = await self._queue.progress(conversation(tracker))
        if found:
            lines = "\n".join(f"{one.number}：{one.state}" for one in found)
            dispatcher.utter_message(response="utter_tickets", lines=lines)
        else:
            dispatcher.utter_message(response="utter_no_tickets")
        return []


class ActionUrge(Action):
    """Urges the newest open ticket."""

    def __init__(self, queue: TicketQueue) -> None:
        """`queue` knows the tickets."""
        self._queue = queue

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_urge"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Urge or say that there is nothing to urge."""
        urged = await self._queue.urge(conversation(tracker))
        if urged is None:
            dispatcher.utter_message(response="utter_no_tickets")
        else:
            dispatcher.utter_message(response="utter_urged", number=urged.number)
        return []
