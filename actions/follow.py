"""Where a message leads that no form waits for, by what was spoken of before it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

import yaml
from rasa_sdk import Tracker
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.numbers import WEEK, account_no, ticket_no
from actions.speech import Events, entity, intent, said

# what takes days: services by their rule, and what is filed for a person
SERVED = frozenset(
    "apply_new_service apply_capacity_change transfer_account apply_pv apply_ev_charger request_reconnect".split()
)
FILED = frozenset(
    "file_complaint report_meter_problem report_frequent_outage report_voltage_problem ask_damage_compensation "
    "report_safety_hazard make_suggestion give_praise".split()
)
APPLIED = SERVED - {"request_reconnect"}
PRICED = APPLIED | {"report_meter_problem", "report_voltage_problem", "report_outage"}
TIMED = SERVED | FILED | {"query_ticket", "payment_not_credited", "request_refund"}
TICKETED = FILED | {"payment_not_credited", "request_refund"}
HOW_LONG = re.compile(
    "多久|多长时间|好久|[几多]天|多少天|几个?(?:工作日|小时|钟头|月)|多少个?(?:工作日|小时)|(?:什么|啥子?)时候|几时|何时|几耐|几多日|几号|哪天"
)
NAMED = re.compile("[来停断没]了?电|恢复|亮|抢修|修好|新装|[装分]表|开户|[增减]容|暂停|过户|更名|光伏|充电桩")
BRING = re.compile("[带要](什么|啥子?|哪些|些什么|乜|咩)|带.{0,4}[证本]|材料|资料|证件|准备(什么|啥|些|哪些)")
COST = re.compile("[多好几]少?钱|收费|费用|[要花]钱|免费|什么价|钱(怎么|咋个?)(算|收)|贵不贵")
ENDS = re.compile("取消|退订|关[掉了闭]|停掉|解约|解绑|(别|不要|莫|唔好|不用)再?(发|提醒|通知)")
OPEN = re.compile("(帮|给|替)我(开|办)|[要想](开通|办|申请)|(怎么|咋|如何)(开通|办|申请)")
OWN_BILL = re.compile("[月年欠交缴度剩扣退]|[用花充]了|电费|电价|余额|我家")
WHAT_NOW = re.compile(
    "那?(么|该)?(我们?|俺)?(要|该)?(怎么办|咋个?[办整弄]|点算|点办|如何是好)[呢啊呀嘛吧了]*[?？!！。]*"
)
HOT_LINE = re.compile("电话.{0,3}(多少|号码?|几多|几号|好多|是啥)|(客服|人工|热线|服务)的?电话[呢吗]?[?？]?$")
NO_ANSWER = re.compile("接|打不通|骂|没人|费")
BARE, LONG = 14, 20
ONE, MANY = "one", "many"
ONE_HOME = re.compile(
    r"(就|只|只有|只是|单单?|光|仅|净|得)(是|有|系)?(我|咱|俺)(们|屋|自己)?(这|那)?(一)?(个)?(家|户|屋)|单户|一户|"
    r"(邻居|隔壁|别人|别家|别户|人家|对门|楼上|楼下).{0,6}(都|还|也)?(有电|正常|没停|亮)"
)
MANY_HOMES = re.compile(
    r"(整|全|成|好几?|几|多|半)(个|条)?(栋|幢|楼|小区|村|条街|片|单元|镇|户|家)|大面积|附近都|周围都|大家|左邻右舍|"
    r"(邻居|隔壁|楼上|楼下|别人|对门).{0,6}(也|都)?(停|没电|黑|冇电|没得电)|都(停|没电|黑|没得电)|一(大)?片"
)
OFFER = "action_offer_person"
UNREACHED = re.compile("打(不|唔|冇|没)(通|进|到)|(没|冇|无|莫得|没得)人(接|听|理)|占线|不接(电话)?|接不(通|了)|唔接")
USELESS = re.compile(
    r"(这|那|都|也|还是?|根本|完全|一点|屁|你(们|说的)?|说了|试了|弄了|按了|试过了?|[，,\s])*"
    r"(没得?|冇|莫得?|无|唔|不|勿)(什么|啥|咩|得)?(有)?(卵|鸟|屁)?(用|管用|顶用|起作用|好使)处?"
    r"[啊呀的嘛了呢哦喔㗎吖！!。.，,\s]*|白(说|搭|问|试)了?[！!。]*"
)
UNSURE = re.compile(
    "不(晓得|知道|清楚|确定|了解)|晓不得|唔(知|清楚)|没(看|问|注意)|哪(里|个)?(晓得|知道)|说不(准|好|清)"
)
UNABLE = re.compile(
    "(不|唔)(会|敢|懂|识)|(看|弄|搞|找|够|摸)(不|唔)(懂|来|到|着|见|清)|哪里?(会|敢|懂|晓得)|(七|八|九)十(多|几)?岁"
)
SELF_CHECKS = frozenset("say_no_outage say_alone say_outage_unknown say_trip_help say_trip_goes_on".split())
TRIPPED = frozenset(("say_trip_help", "say_trip_goes_on"))
REPORT = re.compile(
    "报个?修|报个障|派(个)?(人|师傅|工)|来人|叫(个)?(人|师傅)来|(开关|空开|闸刀?|漏保).{0,6}(正常|好的|没跳|没问题|没得问题)"
    "|没跳|(也|还是?|又|照样)跳|都正常|(还|仍|依)(是|然|旧).{0,3}(没|冇|莫)|试过|看过"
)


def subjects(rules: Path) -> dict[str, str]:
    """Which action each intent leads to, from the rules' folder: what a form goes on to when it is left."""
    found: dict[str, str] = {}
    for file in sorted(rules.glob("*.yml")):
        for rule in yaml.safe_load(file.read_text(encoding="utf-8"))["rules"]:
            steps = rule["steps"]
            if "intent" in steps[0] and len(steps) > 1:
                found[steps[0]["intent"]] = steps[1]["action"]
    return found


def asked_again(tracker: Tracker) -> Events:
    """The question last answered from an account, for another account, month or day that is only named; else []."""
    last, text = tracker.get_slot("last_topic"), said(tracker)
    if ticket_no(text) is not None:
        return []
    named = entity(tracker, "date") is not None or WEEK.search(text) is not None
    day = named and last == tracker.get_slot("spoken_of") == "query_usage"
    if not last or (account_no(text) is None and entity(tracker, "month") is None and not day):
        return []
    return [SlotSet("topic", last), FollowupAction("action_account")]


def scope(text: str) -> str | None:
    """Whether a message says that one home is out or many; None if it does not say."""
    if ONE_HOME.search(text):
        return ONE
    return MANY if MANY_HOMES.search(text) else None


def asks_hot_line(tracker: Tracker) -> bool:
    """Whether the number of the hot line is asked for: 「客服电话多少」, not 「你们不接电话」."""
    return HOT_LINE.search(said(tracker)) is not None and NO_ANSWER.search(said(tracker)) is None


def how_long_of(tracker: Tracker) -> str | None:
    """What a bare 「要多久」 asks about: the service or ticket last spoken of; None for any other message."""
    subject, text = tracker.get_slot("spoken_of"), said(tracker)
    bare = len(text) <= BARE and HOW_LONG.search(text) and not NAMED.search(text)
    return str(subject) if bare and subject in TIMED else None


def service_goes_on(tracker: Tracker) -> str | None:
    """The response to a bare 「要带什么」 or 「要多少钱」 after a service, 「怎么办」 after a high bill; else None."""
    subject, text = tracker.get_slot("spoken_of"), said(tracker)
    if len(text) > BARE or NAMED.search(text):
        return None
    if subject in APPLIED and BRING.search(text):
        return f"say_{subject}"
    if subject in PRICED and COST.search(text) and not OWN_BILL.search(text):
        return "say_cost"
    if subject == "ask_tariff_tou" and OPEN.search(text):
        return "say_open_tou"
    if subject == "ask_tariff_tou" and ENDS.search(text):
        return "say_end_tou"
    return "utter_ask_energy_saving" if subject == "explain_high_bill" and WHAT_NOW.fullmatch(text) else None


def outage_goes_on(tracker: Tracker) -> Events:
    """The outage just spoken of, when the message tells more: who is out, that it is to be reported, another day.

    Whoever was told what to try after a trip 跳闸 has the fault reported, too.
    """
    tripped = last_said(tracker) in TRIPPED
    if last_action(tracker) != "action_outage" and not tripped:
        return []
    if tracker.get_slot("spoken_of") == "query_planned_outage" and entity(tracker, "date") is not None:
        return [SlotSet("topic", "query_planned_outage"), FollowupAction("action_outage")]
    if not (scope(said(tracker)) or REPORT.search(said(tracker)) or (tripped and entity(tracker, "area"))):
        return []
    return [SlotSet("topic", "report_outage"), FollowupAction("action_outage")]


def last_action(tracker: Tracker) -> str | None:
    """The action that answered the turn before this one; the form, if it had to ask."""
    names = (event["name"] for event in _before(tracker) if event.get("event") in ("action", "active_loop"))
    return next((str(name) for name in names if name not in (None, "action_listen", "action_extract_slots")), None)


def responses_before(tracker: Tracker) -> frozenset[str]:
    """Every response of the domain in the turn before the customer's message."""
    after = dropwhile(lambda event: event.get("event") == "user", _before(tracker))
    turn = takewhile(lambda event: event.get("event") != "user", after)
    return frozenset(str(name) for event in turn if (name := (event.get("metadata") or {}).get("utter_action")))


def said_useless(text: str) -> bool:
    """Whether a message only says that our help was none: 「没用」 refuses nothing."""
    return USELESS.fullmatch(text) is not None


def tried_in_vain(tracker: Tracker) -> bool:
    """Whether what we advised to check at home did not help, or cannot be done: 「没用」, 「我不会看开关」."""
    text = said(tracker)
    hopeless = said_useless(text) or len(text) <= LONG and UNABLE.search(text) is not None
    return hopeless and bool(SELF_CHECKS & responses_before(tracker))


def not_reached(text: str) -> bool:
    """Whether a short message says that nobody answers the telephone: 「打不通啊」."""
    return len(text) <= BARE and UNREACHED.search(text) is not None


def last_said(tracker: Tracker) -> str | None:
    """The last response of the domain before the customer's message."""
    said = ((event.get("metadata") or {}).get("utter_action") for event in _before(tracker))
    return next((str(response) for response in said if response), None)


def _before(tracker: Tracker) -> Iterator[dict[str, Any]]:
    """The events before the customer's message, the newest first."""
    return dropwhile(lambda event: event.get("event") != "user", reversed(tracker.events))


def follow(
    dispatcher: CollectingDispatcher, tracker: Tracker, subjects: Mapping[str, str], about: str | None = None
) -> Events:
    """Go where the latest intent (or `about`) leads; an unknown one leads nowhere."""
    action = subjects.get(about or intent(tracker))
    if about is None and not_reached(said(tracker)):
        action = OFFER
    elif about is None and service_goes_on(tracker) is not None:
        action = "action_rule"
    elif about is None and how_long_of(tracker) is not None:
        action = "action_how_long"
    if action is not None and action.startswith("utter_"):
        dispatcher.utter_message(response=action)
        return []
    return [FollowupAction(action)] if action else []
