"""Matters for a person: filed as tickets from the customer's own words; progress, urging, reopening and rating."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.forms import FormValidationAction

from actions.follow import FILED, TICKETED, asked_again, follow, how_long_of, last_said, outage_goes_on
from actions.interruption import LEFT, STOPPED, missed, resumes
from actions.numbers import ticket_no
from actions.opening import just_ran, opened
from actions.outage_watch import OutageWatch
from actions.policy import facts
from actions.question import Question
from actions.speech import Events, conversation, intent, message_seq, said
from actions.verification import Verification
from bot import safety
from triage.queue import TicketQueue

THANKED = frozenset(("make_suggestion", "give_praise"))
# said before the ticket: what the customer can do or must know
ADVICE = {
    "report_meter_problem": "say_meter_advice",
    "report_voltage_problem": "say_voltage_advice",
    "ask_damage_compensation": "say_damage_advice",
    "report_safety_hazard": "say_hazard_advice",
    "report_frequent_outage": "say_frequent_advice",
}
# in the form these are no matter but another wish
ELSEWHERE = frozenset("request_human query_ticket urge_ticket goodbye deny".split())
QUESTIONS = frozenset(
    "query_bill query_balance query_arrears query_usage ask_payment_methods pay_bill find_service_hall "
    "find_charging_station query_planned_outage query_restore_time ask_tariff_tier ask_tariff_tou".split()
)
RULE = re.compile(
    "有(没有?|冇|无)|会不会|[能可]不[能可]|赔不赔|补不补|标准|流程|规定|条件|手续|怎么(申请|算|赔|补)|多少|[多几]久|几天|(什么|啥)时候|[吗么嘛㗎][?？]?$"
)
LOSS = re.compile("坏|烧|死|炸|化了|臭|馊|蔫|冻|翻塘|报销|击|打[了掉]|[万块元]")
SHORT = 20
SURE = 0.5
BARE = re.compile(
    r"(那|请|麻烦|给我|帮我|我|就|再|重新)*(想|要|需要|来)*(再|重新)?(投诉|举报|反映|登记)"
    r"(一下|一次|一遍|下|起|上|你们|个?(问题|情况|诉求|工单))*[吧嘛啊呀了！!。.，,\s]*"
)
LEAST_MATTER = 4
BARE_QUESTION = 10
CORRECTION = re.compile(r"^(不对|错了|说错|打错|更正)")
AMENDS = re.compile(r"^(不对|不是|错了|说错|打错|更正|补充)|(都|老是?|一直|总是?|天天)(是|就)?[这那]样")
SCORES = {
    "非常满意": 5,
    "很满意": 5,
    "非常不满意": 1,
    "很不满意": 1,
    "不满意": 2,
    "满意": 4,
    "一般": 3,
    "差评": 1,
    "好评": 5,
}
STARS = re.compile(r"([1-5一二三四五])\s*(?:分|星|颗星)|打([1-5])")
LOW = 2


class ValidateComplaintForm(FormValidationAction):
    """Takes the matter from the first message that says what happened."""

    def name(self) -> str:
        """Rasa's name of the action."""
        return "validate_complaint_form"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """A bare 我要投诉 is asked what happened; anything longer is the matter."""
        about, asked, text = intent(tracker), tracker.get_slot("requested_slot"), said(tracker)
        if asked:
            if resumes(dispatcher, tracker):
                dispatcher.utter_message(response="say_which_matter")
                return [SlotSet("matter", None), SlotSet("requested_slot", "matter")]
            if about in ELSEWHERE and not CORRECTION.match(text) or _another_question(tracker):
                return [SlotSet("topic", LEFT), SlotSet("matter", None), SlotSet("requested_slot", None)]
        elif about in FILED and how_long_of(tracker) in FILED:
            return [SlotSet("topic", LEFT), SlotSet("requested_slot", None)]
        elif about == "ask_damage_compensation" and len(text) <= SHORT and RULE.search(text) and not LOSS.search(text):
            file = [{"title": "登记损失", "payload": "/ask_damage_compensation"}]
            dispatcher.utter_message(response="say_compensation_rule", buttons=file, **facts())
            return [SlotSet("topic", STOPPED), SlotSet("requested_slot", None)]
        elif about == "report_safety_hazard" and safety.denied(text):
            return [SlotSet("topic", LEFT), SlotSet("requested_slot", None)]
        elif last_said(tracker) in JUST_FILED and BARE.fullmatch(text):
            offers = {"登记另一件事": "/file_complaint", "转人工": "/request_human"}
            buttons = [{"title": name, "payload": leads} for name, leads in offers.items()]
            dispatcher.utter_message(response="say_down_already", buttons=buttons)
            return [SlotSet("topic", STOPPED), SlotSet("requested_slot", None)]
        elif text.startswith("/") and tracker.get_slot("matter"):
            # 直接登记: the words were said before the button was pressed
            return [SlotSet("topic", about), SlotSet("requested_slot", None)]
        told = "" if text.startswith("/") else BARE.sub("", text)
        if len(told) < LEAST_MATTER or (asked and CORRECTION.match(text) and len(told) < SHORT):
            over = missed(dispatcher, tracker) if asked else None
            if over is not None:
                return [*over, SlotSet("matter", None)]
            if not asked and about in ADVICE and last_said(tracker) != "say_compensation_rule":
                dispatcher.utter_message(response=ADVICE[about], **facts())
            dispatcher.utter_message(response="say_which_matter")
            start: Events = [SlotSet("misses", 1)] if asked else [SlotSet("topic", about), SlotSet("misses", None)]
            return [*start, SlotSet("matter", None), SlotSet("requested_slot", "matter")]
        events: Events = [] if asked else [SlotSet("topic", about)]
        return [*events, SlotSet("matter", text), SlotSet("requested_slot", None)]


def _another_question(tracker: Tracker) -> bool:
    sure = float((tracker.latest_message.get("intent") or {}).get("confidence") or 0) >= SURE
    return sure and intent(tracker) in QUESTIONS and len(said(tracker)) <= SHORT


class ActionComplaint(Action):
    """Files the matter and says the ticket's number and the promised time."""

    def __init__(
        self, form: ValidateComplaintForm, queue: TicketQueue, verification: Verification, subjects: Mapping[str, str]
    ) -> None:
        """`form` asks what happened; `subjects`: where the customer goes on to when they leave it."""
        self._form = form
        self._queue = queue
        self._verification = verification
        self._subjects = subjects

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_complaint"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Ask what happened if nothing was told; file; the form's slots are emptied."""
        opening, asks = await opened(self._form, dispatcher, tracker, domain)
        return opening if asks else [*opening, *await self._file(dispatcher, tracker)]

    async def _file(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        topic, matter = tracker.get_slot("topic"), tracker.get_slot("matter")
        done: Events = [SlotSet(slot, None) for slot in ("topic", "matter", "misses")]
        if topic == LEFT:
            # a hazard that is denied is nothing to report
            denied = intent(tracker) == "report_safety_hazard" and how_long_of(tracker) is None
            return [*done, *follow(dispatcher, tracker, self._subjects, "deny" if denied else None)]
        if topic == STOPPED or not matter:
            return done
        who = conversation(tracker)
        account_no = await self._verification.account(who)
        asked = Question(dispatcher, who, message_seq(tracker), topic, matter, account_no)
        more = topic == tracker.get_slot("spoken_of") and len(matter) <= BARE_QUESTION
        if (more or AMENDS.search(matter)) and await noted(dispatcher, tracker, self._queue):
            return done
        if topic in ADVICE and not _advised(tracker):
            asked.say(ADVICE[topic])
        if topic in ADVICE and topic == tracker.get_slot("spoken_of") and _short_question(matter):
            return done  # about what was filed: the advice answers it
        if UNSOLVED.search(matter) and (again := await self._queue.reopen_newest(who, asked.seq, matter)) is not None:
            asked.say("say_reopened", number=again.number, promise=again.promise)
            return done
        done.append(SlotSet("spoken_of", topic))
        filed = await self._queue.file(who, asked.seq, matter, account_no)
        response = "say_thanks_filed" if topic in THANKED else "say_added" if filed.repeated else "say_filed"
        asked.say(response, number=filed.number, promise=filed.promise)
        asked.card("ticket", "已登记", [("工单号", filed.number), ("承诺", filed.promise)], None)
        return done


async def noted(dispatcher: CollectingDispatcher, tracker: Tracker, queue: TicketQueue) -> bool:
    """What is said right after a matter was filed, and asks nothing, goes with its ticket: a place, a phone, a name."""
    text = said(tracker)
    if last_said(tracker) not in TOOK_DOWN or text.startswith("/") or ASKS.search(text):
        return False
    added = await queue.add(conversation(tracker), message_seq(tracker), text)
    if added is None:
        return False
    dispatcher.utter_message(response="say_noted", number=added.number, promise=added.promise)
    return True


JUST_FILED = frozenset("say_filed say_added say_noted".split())
TOOK_DOWN = JUST_FILED | frozenset("say_thanks_filed say_tickets say_urged say_reopened".split())
ASKS = re.compile("[?？吗嘛呢么咩]|怎么|咋|如何|为什么|为啥|多少|[多好][久长]|什么|哪|[几何]|谁|查|想|要")


def _short_question(text: str) -> bool:
    return len(text) <= BARE_QUESTION and ASKS.search(text) is not None


OF_TICKET = re.compile("[催修办]|工单|投诉|没人|没来|解决")
UNSOLVED = re.compile(
    r"(还|仍|又|依然|照样|根本)(是|然)?.{0,6}(没(有)?(电|来|好|解决|修|处理|到账|恢复|人)|不行|不亮|停电|坏|老样子|一样|跳闸)|没(有)?解决"
)


def _advised(tracker: Tracker) -> bool:
    """Whether the form had to ask, and gave its advice then."""
    if not just_ran("complaint_form", tracker):
        return False
    for event in reversed(tracker.events):
        if event.get("event") == "active_loop" and event.get("name") == "complaint_form":
            return False
        if event.get("event") == "slot" and event.get("name") == "requested_slot" and event.get("value") == "matter":
            return True
    return False


class ActionTicketStatus(Action):
    """Says where the contact's tickets stand."""

    def __init__(self, queue: TicketQueue) -> None:
        """`queue` knows the tickets."""
        self._queue = queue

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_ticket_status"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """State, team and due time; the ticket that was named, or all."""
        asked = _question(tracker, dispatcher)
        found = await self._queue.progress(asked.conversation)
        named = ticket_no(asked.text)
        chosen = [one for one in found if named and one.number == named] or found
        if not found or (named and chosen is found):
            asked.say("say_no_such_ticket" if named else "say_no_tickets", number=named or "")
            if not found:
                return []
        lines = "\n".join(
            f"{one.number}：{one.team}{one.state}" + (f"，{one.due}前答复。" if one.open else "。") for one in chosen
        )
        open = any(one.open for one in chosen)
        buttons = (
            [{"title": "催一下", "payload": "/urge_ticket"}] if open else [{"title": "还没解决", "payload": "还没解决"}]
        )
        asked.say("say_tickets", buttons, lines=lines)
        rows = [(one.number, f"{one.team} {one.state}") for one in chosen]
        asked.card("ticket", "工单进度", rows, None)
        kept = tracker.get_slot("spoken_of") in TICKETED  # what was filed is still spoken of
        return [] if kept else [SlotSet("spoken_of", "query_ticket")]


class ActionUrge(Action):
    """Urges the newest open ticket; never makes a second one. A resolved one that is not solved is open again.

    A fault report that has no ticket yet gets its one; whoever was told of an outage gets their report.
    """

    def __init__(self, queue: TicketQueue, watch: OutageWatch, verification: Verification) -> None:
        """`queue` knows the tickets, `watch` the fault reports."""
        self._queue = queue
        self._watch = watch
        self._verification = verification

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_urge"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Urge, reopen, or say that there is nothing to urge."""
        asked = _question(tracker, dispatcher)
        if not OF_TICKET.search(asked.text) and (other := asked_again(tracker)):
            return other
        if "修" in asked.text and (going_on := outage_goes_on(tracker)):
            return going_on
        if (urged := await self._queue.urge(asked.conversation)) is not None:
            asked.say("say_urged", number=urged.number, promise=urged.promise)
        elif (again := await self._queue.reopen_newest(asked.conversation, asked.seq, asked.text)) is not None:
            asked.say("say_reopened", number=again.number, promise=again.promise)
        elif (report := await self._watch.last(asked.conversation)) is None:
            offers = {"登记诉求": "/file_complaint", "转人工": "/request_human"}
            response = "say_unsolved" if UNSOLVED.search(asked.text) else "say_nothing_to_urge"
            asked.say(response, [{"title": name, "payload": leads} for name, leads in offers.items()])
        elif report.report_no is None:
            return [SlotSet("topic", "report_outage"), FollowupAction("action_outage")]
        else:
            account_no = await self._verification.account(asked.conversation)
            text = f"催办报修单{report.report_no}（{report.area_name}）：客户仍没有电，请尽快抢修。"
            filed = await self._queue.file(asked.conversation, asked.seq, text, account_no)
            asked.say("say_urged", number=filed.number, promise=filed.promise)
        return []


class ActionRate(Action):
    """Takes a rating 评价 for the newest ticket; a low one is offered a person."""

    def __init__(self, queue: TicketQueue) -> None:
        """`queue` keeps the rating with the ticket."""
        self._queue = queue

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_rate"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Ask for the score if none was given."""
        asked = _question(tracker, dispatcher)
        score = rating(asked.text)
        if score is None:
            asked.say("say_which_score")
            return []
        await self._queue.rate(asked.conversation, score, asked.text)
        person = [{"title": "转人工", "payload": "/request_human"}]
        asked.say("say_rated_low" if score <= LOW else "say_rated", person if score <= LOW else ())
        return []


def rating(text: str) -> int | None:
    """The score from 1 to 5 in a message; None if it gives none."""
    if (found := STARS.search(text)) is not None:
        sign = found[1] or found[2]
        return int(sign) if sign.isdigit() else "一二三四五".index(sign) + 1
    return next((score for word, score in SCORES.items() if word in text), None)


def _question(tracker: Tracker, dispatcher: CollectingDispatcher) -> Question:
    return Question(dispatcher, conversation(tracker), message_seq(tracker), intent(tracker), said(tracker))
