"""Answers the question about an account, once its form has what it needs, or goes on to the new subject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.account_form import FILEABLE, GENERAL, SLOTS, ValidateAccountForm
from actions.follow import follow
from actions.interruption import LEFT
from actions.opening import opened
from actions.question import Answer, Question
from actions.speech import Events, conversation, intent, message_seq, said, say_unavailable
from actions.systems import SystemUnavailable
from actions.verification import Verification


class ActionAccount(Action):
    """One answer for each topic of the form."""

    def __init__(
        self, form: ValidateAccountForm, answers: Mapping[str, Answer], verification: Verification,
        subjects: Mapping[str, str],
    ) -> None:  # fmt: skip
        """`form` asks for what is missing; `answers` by intent; `subjects`: which action each intent leads to."""
        self._form = form
        self._answers = answers
        self._verification = verification
        self._subjects = subjects

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_account"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Ask for what is missing, or say the answer; the form's slots are emptied."""
        opening, asks = await opened(self._form, dispatcher, tracker, domain)
        return opening if asks else [*opening, *await self._answer(dispatcher, tracker)]

    async def _answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        who, topic = conversation(tracker), tracker.get_slot("topic")
        matter = tracker.get_slot("matter")
        done: Events = [SlotSet(name, None) for name in SLOTS]
        if topic == LEFT:
            # 直接登记: the words of the question go with the customer
            kept = [SlotSet("matter", matter)] if intent(tracker) == "file_complaint" and matter else []
            return [*done, *kept, *follow(dispatcher, tracker, self._subjects)]
        account_no = await self._verification.account(who)
        if topic not in self._answers or (account_no is None and topic not in GENERAL):
            return done
        asked = Question(
            dispatcher, who, message_seq(tracker), topic, matter or said(tracker), account_no,
            tracker.get_slot("month"), tracker.get_slot("threshold"),
        )  # fmt: skip
        try:
            await self._answers[topic](asked)
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
            if topic in FILEABLE:
                return [*done, SlotSet("matter", asked.text)]
        return [*done, SlotSet("last_topic", topic), SlotSet("spoken_of", topic)]
