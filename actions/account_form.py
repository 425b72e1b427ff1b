"""The account form: asks for account number and phone ending until verified, and for what else is missing."""

from __future__ import annotations

import re
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.forms import FormValidationAction

from actions.alerts import CANCEL, threshold
from actions.follow import how_long_of, service_goes_on
from actions.interruption import LEFT, STOPPED, missed, resumes
from actions.numbers import account_no, last_four, month, only_a_time
from actions.speech import SHANGHAI, Clock, Events, conversation, entity, intent, local, said, say_unavailable
from actions.systems import SystemUnavailable
from actions.verification import Locked, Refused, Verification

# a question that has a general answer is not held back by verification
GENERAL = frozenset("ask_tariff_tier ask_tariff_tou ask_late_fee request_invoice ask_autopay buy_power_card".split())
TOPICS = GENERAL | frozenset(
    "query_bill query_balance query_arrears explain_high_bill query_usage ask_usage_analysis payment_not_credited "
    "request_refund request_reconnect set_usage_alert".split()
)
# what may be filed for a person without verification
FILEABLE = frozenset(("payment_not_credited", "request_refund", "request_reconnect"))
PERSONAL = re.compile(
    r"我家|我的|我这|我那|我(们家)?(现在|已经|用|欠|要交|该交|得交)|还剩|还有多少|第几[档挡]|到几[档挡]|扣.{0,3}[没了冇吗]$"
)
FIGURE = re.compile(r"\D{0,4}\d{1,5}\D{0,2}")
VALUES = frozenset(("inform", "nlu_fallback", "out_of_scope"))
SLOTS = ("topic", "month", "account_no", "phone_last4", "threshold", "matter", "misses", "account_tried")


class ValidateAccountForm(FormValidationAction):
    """Runs when the form starts and after each of its answers.

    It remembers the topic, month and words of the question, takes number and ending from one message or two, and ends
    the form when the contact is verified, locked out, not understood twice, or has changed the subject.
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
        asked, topic = tracker.get_slot("requested_slot"), tracker.get_slot("topic")
        limit: object = threshold(entity(tracker, "amount") or text)
        if asked == "account_no" and number is None and ending is not None:
            number = tracker.get_slot("account_tried")  # only the ending was wrong
        value = limit if asked == "threshold" else number or ending
        events: Events = []
        asked_back = about in FILEABLE and how_long_of(tracker) in FILEABLE or service_goes_on(tracker) is not None
        if not asked and asked_back:
            return [SlotSet("topic", LEFT), SlotSet("requested_slot", None)]
        if not asked or (about in TOPICS and not value):
            topic = about if about in TOPICS else topic or about
            named = month(text, self._clock().astimezone(SHANGHAI).date())
            events += [SlotSet("topic", topic), SlotSet("month", named), SlotSet("misses", None)]
            if not text.startswith("/"):
                events.append(SlotSet("matter", text))
            if isinstance(limit, tuple):
                events.append(SlotSet("threshold", f"{limit[0]}:{limit[1]}"))
        elif not value and asked == "threshold" and CANCEL.search(text):
            return [SlotSet("matter", text), SlotSet("threshold", None), SlotSet("requested_slot", None)]
        elif not value and asked == "threshold" and FIGURE.fullmatch(text):
            return [*events, *self._ask(dispatcher, asked, topic, again=True)]
        elif not value and resumes(dispatcher, tracker):
            return [*events, *self._ask(dispatcher, asked, topic, again=False)]
        elif not value and about not in VALUES:
            return [SlotSet("topic", LEFT), SlotSet("requested_slot", None)]
        elif not value:
            if (over := missed(dispatcher, tracker)) is not None:
                return over
            number = tracker.get_slot("account_no") if asked == "phone_last4" else None
            return [SlotSet("misses", 1), *self._ask(dispatcher, asked, topic, again=True, number=number)]
        if asked == "phone_last4" and ending is not None:
            # the ending belongs to the number that was given, whichever account is verified already
            number = number or tracker.get_slot("account_no")
        known = str(tracker.get_slot("threshold") or "")
        limit = limit or (tuple(known.split(":")) if known.count(":") == 1 else None)
        matter = text if not asked or about in TOPICS else str(tracker.get_slot("matter") or text)
        if await self._verification.account(who) is not None and number is None:
            return [*events, *self._settled(dispatcher, topic, limit, matter)]
        if (
            topic in GENERAL
            and not number
            and not entity(tracker, "confirmed")
            and not PERSONAL.search(text)
            and not only_a_time(text)  # the general answer was given before
            and (not asked or about == topic)
        ):
            return [*events, SlotSet("requested_slot", None)]
        if (lock := await self._verification.locked(who)) is not None:
            dispatcher.utter_message(response="say_verification_locked", until=local(lock.until))
            return [*events, SlotSet("topic", STOPPED), SlotSet("requested_slot", None)]
        number = number or (None if asked != "phone_last4" else tracker.get_slot("account_no"))
        if number is None:
            return [*events, *self._ask(dispatcher, "account_no", topic, again=bool(ending))]
        if ending is None:
            return [*events, *self._ask(dispatcher, "phone_last4", topic, again=False, number=number)]
        return [*events, *await self._verify(dispatcher, who, number, ending, topic, limit, matter)]

    async def _verify(
        self, dispatcher: CollectingDispatcher, who: int, number: str, ending: str, topic: str, limit: object,
        matter: str,
    ) -> Events:  # fmt: skip
        try:
            outcome = await self._verification.verify(who, number, ending)
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
            return [SlotSet("topic", STOPPED), SlotSet("requested_slot", None)]
        match outcome:
            case Refused(left):
                dispatcher.utter_message(response="say_verification_failed", left=str(left))
                return [SlotSet("misses", None), SlotSet("account_tried", number), *_wait_for("account_no", None)]
            case Locked(until):
                dispatcher.utter_message(response="say_verification_locked", until=local(until))
                return [SlotSet("topic", STOPPED), SlotSet("requested_slot", None)]
        return self._settled(dispatcher, topic, limit, matter)

    def _settled(self, dispatcher: CollectingDispatcher, topic: str, limit: object, matter: str) -> Events:
        """Verified: an alert still needs its threshold; everything else can be answered."""
        if topic == "set_usage_alert" and limit is None and not CANCEL.search(matter):
            return self._ask(dispatcher, "threshold", topic, again=False)
        named = f"{limit[0]}:{limit[1]}" if isinstance(limit, tuple) else None
        return [SlotSet("threshold", named), SlotSet("requested_slot", None)]

    def _ask(
        self, dispatcher: CollectingDispatcher, slot: str, topic: str | None, again: bool, number: str | None = None
    ) -> Events:
        response = {
            "account_no": "say_account_no_wrong" if again else "say_which_account",
            "phone_last4": "say_phone_last4_wrong" if again else "say_which_phone",
            "threshold": "say_threshold_wrong" if again else "say_which_threshold",
        }[slot]
        file = [{"title": "不方便核验，直接登记", "payload": "/file_complaint"}] if topic in FILEABLE else None
        dispatcher.utter_message(response=response, buttons=file if slot != "threshold" else None)
        return _wait_for(slot, number)


def _wait_for(slot: str, number: str | None) -> Events:
    if slot == "threshold":
        return [SlotSet("threshold", None), SlotSet("requested_slot", slot)]
    return [SlotSet("account_no", number), SlotSet("phone_last4", None), SlotSet("requested_slot", slot)]
