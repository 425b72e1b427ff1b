"""The account form: asks for account number and phone ending until the contact is verified."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.forms import FormValidationAction

from actions.numbers import account_no, last_four, month
from actions.speech import SHANGHAI, Clock, Events, conversation, intent, local, said, say_unavailable
from actions.systems import SystemUnavailable
from actions.verification import Locked, Refused, Verification

TOPICS = frozenset(
    "query_bill query_balance query_arrears explain_high_bill query_usage ask_tariff_tier ask_late_fee "
    "ask_usage_analysis".split()
)
VALUES = frozenset(("inform", "affirm", "nlu_fallback"))
LEFT, STOPPED = "left", "stopped"


class ValidateAccountForm(FormValidationAction):
    """Runs when the form starts and after each of its answers.

    It remembers the topic and month of the question, takes number and ending from one message or two, and ends the
    form when the contact is verified, locked out, or has changed the subject.
    """

    def __init__(self, verification: Verification, clock: Clock) -> None:
        """`clock` tells which month 上个月 is."""
        self._verification = verification
        self._clock = clock

    def name(self) -> str:
        """Rasa's name of the action."""
        return "validate_account_form"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Set slots for Rasa's form, which asks for the first that is missing and ends when none is."""
        who, text, about = conversation(tracker), said(tracker), intent(tracker)
        number, ending = account_no(text), last_four(text)
        asked = tracker.get_slot("requested_slot")
        events: Events = []
        if about in TOPICS and not (asked and (number or ending)):
            named = month(text, self._clock().astimezone(SHANGHAI).date())
            events += [SlotSet("topic", about), SlotSet("month", named)]
        elif asked and not (number or ending) and about not in VALUES:
            return [SlotSet("topic", LEFT), SlotSet("requested_slot", None)]
        if await self._verification.account(who) is not None and number is None:
            return [*events, SlotSet("requested_slot", None)]
        if (lock := await self._verification.locked(who)) is not None:
            dispatcher.utter_message(response="utter_verification_locked", until=local(lock.until))
            return [*events, SlotSet("topic", STOPPED), SlotSet("requested_slot", None)]
        number = number or (None if asked != "phone_last4" else tracker.get_slot("account_no"))
        if number is None:
            again = asked == "account_no" and about not in TOPICS
            dispatcher.utter_message(response="utter_account_no_wrong" if again else "utter_which_account")
            return [*events, *_ask("account_no", None)]
        if ending is None:
            again = asked == "phone_last4"
            dispatcher.utter_message(response="utter_phone_last4_wrong" if again else "utter_which_phone")
            return [*events, *_ask("phone_last4", number)]
        return events + await self._verify(dispatcher, who, number, ending)

    async def _verify(self, dispatcher: CollectingDispatcher, who: int, number: str, ending: str) -> Events:
        try:
            outcome = await self._verification.verify(who, number, ending)
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
            return [SlotSet("topic", STOPPED), SlotSet("requested_slot", None)]
        match outcome:
            case Refused(left):
                dispatcher.utter_message(response="utter_verification_failed", left=str(left))
                return _ask("account_no", None)
            case Locked(until):
                dispatcher.utter_message(response="utter_verification_locked", until=local(until))
                return [SlotSet("topic", STOPPED), SlotSet("requested_slot", None)]
        return [SlotSet("requested_slot", None)]


def _ask(slot: str, number: str | None) -> Events:
    return [SlotSet("account_no", number), SlotSet("phone_last4", None), SlotSet("requested_slot", slot)]
