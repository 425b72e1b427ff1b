"""A short message is read by what was spoken of before it; whole dialogues are nlu_data/frozen/dialogues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.follow import subjects
from actions.outage import ActionOutage
from actions.outage_form import NOTED, ValidateOutageForm
from actions.outage_watch import OutageWatch
from actions.reread import Reading, read_again
from actions.sentences import Sentences
from actions.systems_sample import SampleSystems
from actions.verification import Verification
from bot.dialogue import environment
from bot.dialogue.responses import Responses
from tests.triage.stage import Stage

LEADS = subjects(environment.HERE / "rules")
OFFER = "action_offer_person"


def tracker(
    text: str, about: str, spoken_of: str | None = None, before: str = "action_account", said: str = "say_bill",
    ran: str = "action_listen", **slots: str,
) -> Tracker:  # fmt: skip
    """One turn, answered by the action `before` with the response `said`, and the message `text`, read as `about`."""
    events = [
        {"event": "user", "text": "…"},
        {"event": "action", "name": before},
        {"event": "bot", "metadata": {"utter_action": said}},
        {"event": "action", "name": "action_listen"},
        {"event": "user", "text": text},
    ]
    message = {"text": text, "intent": {"name": about}, "entities": [], "metadata": {"seq": 3}}
    return Tracker("1", {"spoken_of": spoken_of, **slots}, message, events, False, None, {}, ran)


@pytest.mark.parametrize(
    ("text", "about", "spoken_of", "meant"),
    [
        ("几点到几点", "ask_tariff_tou", "query_planned_outage", "query_planned_outage"),
        ("停多久啊", "query_restore_time", "query_planned_outage", "query_planned_outage"),
        ("下周三呢", "query_usage", "query_planned_outage", "query_planned_outage"),
        ("几号能回我", "ask_autopay", "file_complaint", "query_ticket"),
        ("要去年的", "query_bill", "request_invoice", "request_invoice"),
        ("去年的也要", "deny", "request_invoice", "request_invoice"),
        ("那三月份的", "query_bill", "query_usage", "query_usage"),
        ("能寄给我吗", "ask_capabilities", "request_invoice", "request_invoice"),
        ("星期天开门不", "ask_capabilities", "find_service_hall", "find_service_hall"),
        ("周末能办吗", "ask_capabilities", "apply_ev_charger", "find_service_hall"),
        ("取消怎么取消", "deny", "subscribe_outage_notice", "subscribe_outage_notice"),
        ("别再提醒了", "deny", "set_usage_alert", "set_usage_alert"),
        ("几号之前要交", "ask_autopay", "query_arrears", "query_arrears"),
        ("有变化告诉我", "set_usage_alert", "query_planned_outage", "subscribe_outage_notice"),
        ("要什么材料", "ask_damage_compensation", "apply_ev_charger", "apply_ev_charger"),
        ("那咋申请", "report_meter_problem", "ask_damage_compensation", "ask_damage_compensation"),
        ("那周末呢", "inform", "query_planned_outage", "query_planned_outage"),
        ("我家有呼吸机怎么办", "out_of_scope", "query_planned_outage", "request_human"),
        ("冰箱里东西都坏了", "report_outage", "report_outage", "ask_damage_compensation"),
        ("一冰柜的肉都臭了", "out_of_scope", "query_restore_time", "ask_damage_compensation"),
        ("有空位吗", "greet", "find_charging_station", "find_charging_station"),
    ],
)
def test_a_short_message_goes_on_with_what_was_spoken_of(text: str, about: str, spoken_of: str, meant: str) -> None:
    assert read_again(tracker(text, about, spoken_of), LEADS) == Reading(meant, LEADS[meant])


@pytest.mark.parametrize(
    ("text", "about", "spoken_of"),
    [
        ("峰谷是几点到几点", "ask_tariff_tou", "query_planned_outage"),
        ("现在停了几个小时了", "report_outage", "query_planned_outage"),
        ("转人工几点上班", "request_human", "file_complaint"),
        ("什么时候来电", "query_restore_time", "query_usage"),
        ("几点到几点", "ask_tariff_tou", None),
        ("要去年的", "query_bill", None),
        ("没用电怎么还扣钱", "report_meter_problem", "query_bill"),
        ("取消", "deny", "query_bill"),
        ("冰箱里东西都坏了", "report_outage", "query_bill"),
        ("空调也开不了", "report_outage", "report_outage"),
        ("要什么材料", "ask_damage_compensation", "ask_damage_compensation"),
        ("开发票要什么材料", "request_invoice", "transfer_account"),
    ],
)
def test_what_stands_by_itself_is_left_alone(text: str, about: str, spoken_of: str | None) -> None:
    assert read_again(tracker(text, about, spoken_of), LEADS) is None


def test_a_bare_how_long_is_about_no_outage_where_none_was_spoken_of() -> None:
    asked = Reading("query_restore_time", "action_how_long")
    assert read_again(tracker("要多久", "query_restore_time", "query_usage"), LEADS) == asked
    assert read_again(tracker("要多久", "query_restore_time", "report_outage", "action_outage"), LEADS) is None
    assert read_again(tracker("要多久", "query_restore_time"), LEADS) is None


@pytest.mark.parametrize("text", ["没用", "冇用", "都不管用", "打不通啊", "电话没人接"])
def test_who_is_not_helped_is_offered_a_person(text: str) -> None:
    found = read_again(tracker(text, "deny", "query_bill"), LEADS)
    assert found is not None and found.action == OFFER


@pytest.mark.parametrize("text", ["没用", "我不会看开关", "我八十多岁了哪会弄这个"])
def test_a_check_at_home_that_did_not_help_is_reported(text: str) -> None:
    checked = tracker(text, "deny", "report_outage", "action_outage", "say_no_outage")
    assert read_again(checked, LEADS) == Reading("report_outage", "action_outage")


@pytest.mark.parametrize(
    ("text", "about", "spoken_of", "rule"),
    [
        ("会停我电吗", "query_planned_outage", "query_arrears", "cut_off"),
        ("几点关门", "out_of_scope", "find_charging_station", "station_hours"),
        ("能加急吗", "urge_ticket", "apply_capacity_change", "service_detail"),
        ("交了多久能到账", "payment_not_credited", "query_bill", "credit_time"),
        ("验表多少钱", "report_meter_problem", "query_bill", "cost"),
    ],
)
def test_a_narrow_question_has_its_rule(text: str, about: str, spoken_of: str, rule: str) -> None:
    assert read_again(tracker(text, about, spoken_of), LEADS) == Reading(rule, "action_rule")


def test_what_is_said_after_filing_and_is_not_understood_goes_with_the_ticket() -> None:
    more = tracker("晚上空调都打不开", "app_login_problem", "report_voltage_problem", "action_complaint", "say_filed")
    more.latest_message["intent"]["confidence"] = 0.4
    assert read_again(more, LEADS) == Reading("inform", "action_inform")
    more.latest_message["intent"]["confidence"] = 0.9
    assert read_again(more, LEADS) is None


def test_what_another_answer_spoke_of_ends_the_subject() -> None:
    assert read_again(tracker("周末能办吗", "ask_capabilities", "apply_pv", "utter_find_account_no"), LEADS) is None


def test_more_about_a_ticket_that_is_closed_is_not_taken_for_noted(database_url: Callable[[], str]) -> None:
    stage = Stage(database_url())
    systems = SampleSystems(lambda: stage.now)
    verification = Verification(stage.database, systems, lambda: stage.now)
    watch = OutageWatch(
        stage.database, systems, stage.conversations, Sentences(Responses()), lambda: stage.now
    )  # fmt: skip
    form = ValidateOutageForm(systems, verification, watch, lambda: stage.now)
    action = ActionOutage(form, systems, verification, stage.queue, watch, lambda: stage.now, LEADS)
    told = tracker("大概晚上七八点", "query_restore_time", said="say_filed", ran="outage_form", topic=NOTED)

    async def answered() -> list[dict[str, Any]]:
        dispatcher = CollectingDispatcher()
        await action.run(dispatcher, told, {})
        await stage.database.close()
        return list(dispatcher.messages)

    [said] = asyncio.run(answered())
    assert said["response"] == "say_no_open_ticket"
    assert {button["title"] for button in said["buttons"]} == {"登记诉求", "还没解决"}
