"""What a short message means after what was spoken of: 「几点到几点」 after a planned outage asks for its hours.

It is read again before its action runs, so that no action needs to know what others answered before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import NamedTuple

from rasa_sdk import Tracker

from actions.complaint import ASKS, JUST_FILED
from actions.follow import (
    APPLIED,
    BARE,
    BRING,
    ENDS,
    FILED,
    HOW_LONG,
    LONG,
    NAMED,
    OFFER,
    SERVED,
    last_action,
    last_said,
    not_reached,
    said_useless,
    tried_in_vain,
)
from actions.numbers import only_a_time
from actions.payments import BY_POST
from actions.speech import intent, said
from bot import safety

HALLS = "find_service_hall"
# these say what they want, however short
CLEAR = frozenset("request_human file_complaint rate_service goodbye".split())
UNSURE, SHORTEST = 0.5, 8
TICKETS = frozenset(("urge_ticket", "query_ticket"))
VAGUE = frozenset("out_of_scope nlu_fallback affirm deny inform".split())
OUTAGES = frozenset("query_restore_time query_planned_outage ask_outage_reason report_outage".split())
HURT = OUTAGES | {"report_frequent_outage", "report_voltage_problem", "request_reconnect"}
BY_MONTH = frozenset("query_bill explain_high_bill query_usage request_invoice".split())
ENDED_BY_WORD = frozenset("subscribe_outage_notice set_usage_alert ask_autopay".split())
KEEP_SUBJECT = frozenset("utter_greet utter_bot_challenge utter_pay_bill utter_ask_payment_methods".split())
OWED = frozenset("query_bill query_arrears query_balance ask_late_fee pay_bill".split())
STATIONS = "find_charging_station"
HOURS = re.compile(
    "几点|(几|多少)个?(小时|钟头)|[几多]久|好久|(什么|啥子?)时(间|候)|几时|多长时间|从.{1,5}到|(上|下)午还是|白天|晚上|周末"
)
HOUSE = re.compile(
    "上班|下班|开门|关门|营业|值班|放假|节假日|(周|星期|礼拜)[一二三四五六日天末]|中午|休息|几点[开关上下]"
)
REPLIED = re.compile("[回答批]复|答覆|回[我话信音电]|联系|打(电话)?给我|找我|处理|解决|结果|有人[来管]|上门")
NOW = re.compile("现在|已经|[停黑][了咗]|没来")
WHEN = re.compile(HOW_LONG.pattern + "|几号|哪天")
DEDUCTED = re.compile("扣.{0,3}[没了冇吗]")
HANDLED = re.compile("管不管|有(没有)?人管|(没|冇|莫得)人管|到底.{0,4}(处理|解决|修|管)")
REFUSED = re.compile("(我|老子)?(就是)?(不服|不认(账|可)?|不同意|不接受|不满意)[了的啊!！。]*")
CREDIT_TIME = re.compile("(多久|几时|几天|什么时候|啥时候|好久|多长时间).{0,4}(到账|入账|到得?了?账)")
TEST_COST = re.compile("[验校检测][表验]?.{0,4}([多好几]少?钱|[要收]费|要钱|费用|免费)")
CUT_OFF = re.compile(
    "(不|冇)(交|缴|还|付|充).{0,4}(停|断|掐|拉闸)|欠.{0,5}(会|几时|多久|好久|什么时候|啥时候).{0,3}(停|断|掐)"
)
QUESTION = re.compile("[吗么嘛不没㗎][?？]?$|[?？]$|会不会|是不是")
DUE = re.compile("最晚|最迟|截止|到期|(几号|哪天|几时|(什么|啥)时候).{0,4}(前|交|缴|付|还)")
CUT = re.compile("(会|要|得)(不会|被)?.{0,4}([停断掐].{0,2}电|拉闸)")
FREE = re.compile("空|排队|几个桩|多少钱|价|贵|快充|慢充")
OPEN = re.compile("关门|开门|营业|几点|24小时|通宵|晚上|半夜")
HURRY = re.compile("加急|(快|早)[点些啲]|提前|插队")
TELL = re.compile("(告诉|通知|提醒|知会|说|话)(我|俺|一?声|下)|(给|跟)我(说|讲)")
LOST = re.compile(
    "(冰[箱柜]|电视|空调|电脑|电器|家电|东西|菜|肉|鱼|虾|鸡|鸭|货|药|海鲜|奶).{0,6}"
    "([坏烧死废馊臭化][了哒嘎完掉咗]|报销|没法(用|要|吃))"
)
APPLY = re.compile("那?[要该]?(怎么|咋个?|如何|点样?)(申请|登记|[办弄搞整])[呢啊呀嘛咧]*[?？]?")
OTHER = re.compile("费|价|峰|谷|表|户号|钱|发票|充电|电话|投诉|人工")


class Reading(NamedTuple):
    """How a message is read again: its intent, and the action that answers it."""

    intent: str
    action: str


def read_again(tracker: Tracker, subjects: Mapping[str, str]) -> Reading | None:
    """What a short message means after what was said before it; None for one that stands by itself.

    `subjects`: which action each intent leads to.
    """
    text, about = said(tracker), intent(tracker)
    if adds(tracker):
        return Reading("inform", "action_inform")
    if _out_of_patience(tracker):
        return Reading("urge_ticket", subjects["urge_ticket"])
    if tried_in_vain(tracker):
        return Reading("report_outage", subjects["report_outage"])
    if text.startswith("/") or len(text) > BARE or about in CLEAR:
        return None
    if said_useless(text) or not_reached(text) or about == "deny" and REFUSED.fullmatch(text):
        return Reading(about, OFFER)
    if (rule := _rule(text)) is not None:
        return Reading(rule, "action_rule")
    subject = subject_of(tracker)
    if HANDLED.search(text) and about in VAGUE:
        return Reading("urge_ticket", subjects["urge_ticket"])
    if subject is not None and (rule := _rule_of(subject, text)) is not None:
        return Reading(rule, "action_rule")
    meant = _meant(subject, text) if subject is not None else None
    if meant is not None:
        return Reading(meant, subjects[meant])
    if subject is not None and subject not in OUTAGES and about in OUTAGES and _bare(HOW_LONG, text):
        return Reading(about, "action_how_long")
    return None


def acted(tracker: Tracker) -> list[str]:
    """Which actions and forms have run since the customer's message, the newest first."""
    turn = takewhile(lambda event: event.get("event") != "user", reversed(tracker.events))
    names = [str(event.get("name")) for event in turn if event.get("event") == "action"]
    return [name for name in names if name not in ("action_listen", "action_extract_slots")]


def _rule(text: str) -> str | None:
    """What a question about a rule asks, where no intent is that narrow."""
    if TEST_COST.search(text):
        return "cost"
    if CREDIT_TIME.search(text) and "还" not in text:
        return "credit_time"
    return "cut_off" if CUT_OFF.search(text) and QUESTION.search(text) else None


def _rule_of(subject: str, text: str) -> str | None:
    """What is asked about the rule of `subject`, or None."""
    if subject in OWED and CUT.search(text) and QUESTION.search(text):
        return "cut_off"
    if subject == STATIONS and OPEN.search(text):
        return "station_hours"
    return "service_detail" if subject in APPLIED and HURRY.search(text) else None


def adds(tracker: Tracker) -> bool:
    """Whether a message that nobody would understand alone tells more of what was just filed: 「晚上空调都打不开」."""
    text, sure = said(tracker), float((tracker.latest_message.get("intent") or {}).get("confidence") or 1)
    new = (
        sure >= UNSURE
        or HANDLED.search(text) is not None
        or intent(tracker) in CLEAR | TICKETS
        or ASKS.search(text) is not None
        or text.startswith("/")
    )
    return not new and len(text) <= LONG and last_said(tracker) in JUST_FILED


def _out_of_patience(tracker: Tracker) -> bool:
    """Whether 「没人管」 is about the ticket that was spoken of."""
    subject, text = subject_of(tracker), said(tracker)
    short = len(text) <= SHORTEST and intent(tracker) != "request_human" and HANDLED.search(text) is not None
    return short and (subject in FILED or subject == "query_ticket")


def subject_of(tracker: Tracker) -> str | None:
    """The intent last answered, if nothing else was spoken of since."""
    before, subject = last_action(tracker) or "", tracker.get_slot("spoken_of")
    elsewhere = before.startswith("utter_") and before not in KEEP_SUBJECT
    return str(subject) if subject and not elsewhere and not before.endswith("_form") else None


def _meant(subject: str, text: str) -> str | None:
    """The intent of a short `text` after `subject`; None where the subject does not tell."""
    if subject in BY_MONTH and only_a_time(text) or subject in ENDED_BY_WORD and ENDS.search(text):
        return subject
    if subject == "query_planned_outage" and _asks_hours(text):
        return subject
    if subject in OWED and DUE.search(text):
        return "query_arrears"
    if subject in OUTAGES and safety.life_support(text):
        return "request_human"
    if subject in APPLIED and (BRING.search(text) or APPLY.fullmatch(text)) and not OTHER.search(text):
        return subject
    if subject == "ask_damage_compensation" and APPLY.fullmatch(text):
        return subject
    if subject in HURT and LOST.search(text):
        return "ask_damage_compensation"
    if subject in OUTAGES and TELL.search(text) and ENDS.search(text) is None:
        return "subscribe_outage_notice"
    if subject == STATIONS and FREE.search(text):
        return subject
    if subject == "ask_autopay" and DEDUCTED.search(text):
        return subject
    if subject == "request_invoice" and BY_POST.search(text):
        return subject
    if (subject in SERVED or subject == HALLS) and HOUSE.search(text) and not OTHER.search(text):
        return HALLS
    if (subject in FILED or subject == "query_ticket") and REPLIED.search(text) and WHEN.search(text):
        return "query_ticket"
    return None


def _asks_hours(text: str) -> bool:
    here = OTHER.search(text) is not None or NOW.search(text) is not None
    whole = "停" in text and QUESTION.search(text) is not None
    return not here and (whole or HOURS.search(text) is not None or only_a_time(text))


def _bare(words: re.Pattern[str], text: str) -> bool:
    return words.search(text) is not None and NAMED.search(text) is None and OTHER.search(text) is None
