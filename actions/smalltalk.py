"""Thanks, yes, no, and a value that nobody asked for: each may answer a question that we asked before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.alerts import HOW
from actions.complaint import TOOK_DOWN, UNSOLVED, noted
from actions.follow import (
    BARE,
    TRIPPED,
    asked_again,
    asks_hot_line,
    follow,
    how_long_of,
    last_action,
    last_said,
    outage_goes_on,
    service_goes_on,
)
from actions.outage import answer_awaited
from actions.outage_watch import OutageWatch
from actions.policy import facts
from actions.speech import Events, conversation, entity, message_seq, said
from actions.verification import Verification
from bot import safety
from triage.queue import TicketQueue

REPLIES = ("thank", "affirm", "deny", "inform", "out_of_scope", "ask_capabilities")
NEARBY = frozenset(("action_halls", "action_charging_stations"))
OF_THIS = re.compile("^(?!.*(你|什么|哪些|啥|功能)).*[能可]不?[能可]?.{1,8}[吗么嘛不]")
QUESTION = re.compile("([吗嘛么]|[好来修]了?没有?|[行好]不[行好])[?？]?$|有没有|是不是|能不能|可不可以")
OPEN_QUESTION = re.compile("要不要|啥|什么|怎么|咋|哪[里个些儿]|多少|几多|乜")
DONE = re.compile("[好完]了?(没有?|吗|不|冇)[?？]?$|有(结果|消息|回复)|处理到哪")
PAID = re.compile("(?<![没不未])(?<!没有)(交|缴|充|付)(了|的|过|完|清|上|咗)|(?<!没)还[清完]了")
NOT_YET = re.compile("再|明天|过两天|怎么|哪")
OWED = frozenset("request_reconnect query_arrears ask_late_fee query_balance".split())


def pays(text: str) -> bool:
    """Whether a message says that something was paid: 「昨天交了」, not 「还没交清」 or 「过两天再交」."""
    return PAID.search(text) is not None and NOT_YET.search(text) is None


class ActionReply(Action):
    """One of `REPLIES`: the answer to 「您家来电了吗？」, or what the intent says by itself.

    「谢谢」 changes nothing; 「谢谢，但还是没电」 reopens the ticket that was resolved.
    """

    def __init__(
        self, about: str, queue: TicketQueue, watch: OutageWatch, verification: Verification,
        subjects: Mapping[str, str],
    ) -> None:  # fmt: skip
        """`about`: the intent; `subjects` where an unsolved outage goes on to."""
        self._about = about
        self._queue = queue
        self._watch = watch
        self._verification = verification
        self._subjects = subjects

    def name(self) -> str:
        """Rasa's name of the action."""
        return f"action_{self._about}"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Answer, reopen, or be polite."""
        default = {"affirm": True, "deny": False}.get(self._about)
        who, text = conversation(tracker), said(tracker)
        if await answer_awaited(dispatcher, tracker, self._watch, self._queue, self._verification, default):
            return []
        if UNSOLVED.search(text):
            reopened = await self._queue.reopen_newest(who, message_seq(tracker), text)
            if reopened is not None:
                dispatcher.utter_message(response="say_reopened", number=reopened.number, promise=reopened.promise)
                return []
            about = "report_outage" if "电" in text else "urge_ticket"
            return [SlotSet("topic", about), *follow(dispatcher, tracker, self._subjects, about)]
        if self._about in ("inform", "deny") and (again := asked_again(tracker)):
            return again
        if how_long_of(tracker) is not None:
            return [FollowupAction("action_how_long")]
        if going_on := outage_goes_on(tracker):
            return going_on
        if (service := service_goes_on(tracker)) is not None:
            dispatcher.utter_message(response=service, **facts())
            return []
        if self._about != "thank" and pays(text) and tracker.get_slot("spoken_of") in OWED:
            about = "payment_not_credited"
            return [SlotSet("topic", about), *follow(dispatcher, tracker, self._subjects, about)]
        if last_said(tracker) in TOOK_DOWN and DONE.search(text):
            return [FollowupAction("action_ticket_status")]
        if self._about == "inform" and await noted(dispatcher, tracker, self._queue):
            return []
        before = last_action(tracker)
        if self._about == "inform" and before in NEARBY and entity(tracker, "area"):
            return [FollowupAction(before)]  # 「告诉我您在哪个小区」 was answered
        if self._about == "deny" and HOW.search(text) and "取消" in text:
            buttons = [{"title": words, "payload": words} for words in ("取消停电通知", "取消用电提醒", "取消代扣")]
            dispatcher.utter_message(response="say_cancel_what", buttons=buttons)
            return []
        if self._about in ("affirm", "deny") and (QUESTION.search(text) or OPEN_QUESTION.search(text)):
            return [FollowupAction("action_fallback")]
        if self._about == "out_of_scope" and asks_hot_line(tracker):
            dispatcher.utter_message(response="say_hot_line")
            return []
        detail = self._about == "out_of_scope" or OF_THIS.search(text) is not None
        if detail and before in ("action_rule", "action_how_long", "action_halls") and len(text) <= BARE:
            dispatcher.utter_message(response="say_service_detail")
            return []
        tripped = (self._about != "deny" or "没" in text or safety.denied(text)) and last_said(tracker) in TRIPPED
        dispatcher.utter_message(response="say_trip_goes_on" if tripped else f"say_{self._about}")
        return []
