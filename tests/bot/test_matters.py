"""Several matters in one message, with readings by hand; frozen/dialogues/several.yml has a real model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.matters import LONGEST, apart, stretches

READINGS = {
    "上个月电费多少": ("query_bill", 0.95),
    "明天停电吗": ("query_planned_outage", 0.95),
    "发票怎么开": ("request_invoice", 0.7),
    "是不是表坏了": ("report_meter_problem", 0.9),
    "我家没电了": ("report_outage", 0.9),
    "表也坏了": ("report_meter_problem", 0.9),
    "什么时候来电": ("query_restore_time", 0.9),
    "你们会下棋吗": ("out_of_scope", 0.9),
    "我要过户": ("transfer_account", 0.9),
    "去哪里办": ("find_service_hall", 0.9),
    "我想查上个月电费多少啊": ("query_bill", 0.9),
    "明天我们小区停不停电": ("query_planned_outage", 0.9),
    "我想查上个月": ("query_bill", 0.85),
    "电费多少啊": ("query_bill", 0.9),
    "电费多少啊明天我们小区停不停电": ("query_planned_outage", 0.95),
    "我们小区现在停电了啊": ("report_outage", 0.9),
    "你们多久能来电": ("query_restore_time", 0.9),
    "电费怎么这么贵啊": ("explain_high_bill", 0.9),
    "我上个月用了多少度": ("query_usage", 0.9),
    "我的电费交了没有啊": ("query_arrears", 0.9),
    "上月电费": ("query_bill", 0.9),
}


async def read(text: str) -> Mapping[str, Any]:
    intent, confidence = READINGS.get(text, ("nlu_fallback", 0.0))
    return {"intent": intent, "confidence": confidence, "fallback": intent == "nlu_fallback"}


@pytest.mark.parametrize(
    ("text", "matters"),
    [
        ("上个月电费多少，还有明天停电吗", ["上个月电费多少", "明天停电吗"]),
        ("上个月电费多少还有明天停电吗另外发票怎么开", ["上个月电费多少", "明天停电吗", "发票怎么开"]),
        ("您好，上个月电费多少？明天停电吗", ["您好，上个月电费多少", "明天停电吗"]),
        ("上个月电费多少。第二件事，明天停电吗", ["上个月电费多少", "明天停电吗"]),
        ("我家没电了，另外上个月电费多少", ["我家没电了", "上个月电费多少"]),
        ("我想查上个月电费多少啊明天我们小区停不停电", ["我想查上个月电费多少啊", "明天我们小区停不停电"]),
        ("我们小区现在停电了啊我上个月用了多少度", ["我们小区现在停电了啊", "我上个月用了多少度"]),
    ],
)
def test_matters_of_their_own_are_apart(text: str, matters: list[str]) -> None:
    assert asyncio.run(apart(text, read)) == matters


@pytest.mark.parametrize(
    "text",
    [
        "上个月电费多少？是不是表坏了",  # a doubt about the bill
        "我家没电了，什么时候来电",
        "上个月电费多少，发票怎么开",  # not sure enough, and no word joins a second matter
        "我要过户，去哪里办",
        "上个月电费多少，另外你们会下棋吗",
        "我家没电了，另外表也坏了",  # a message files once
        "上个月电费多少，还有上月电费",
        "还有多少余额",
        "我们小区现在停电了啊你们多久能来电",
        "电费怎么这么贵啊我上个月用了多少度",  # what was used is why
        "我的电费交了没有啊明天我们小区停不停电",  # perhaps cut for arrears
        "/query_bill",
        "上个月电费多少，还有/report_outage",
        "上个月电费多少，还有明天停电吗" + "啊" * LONGEST,
    ],
)
def test_what_is_one_matter_stays_whole(text: str) -> None:
    assert asyncio.run(apart(text, read)) == [text]


@given(st.text(alphabet="上个月电费多少，还有明天停吗？另外\n ", max_size=40))
def test_no_word_of_the_customer_is_lost_but_the_joining_ones(text: str) -> None:
    kept = "".join(part.text for part in stretches(text))
    rest = iter(text)
    assert all(sign in rest for sign in kept), "a stretch is in the order of the message"
    lost = set(text) - set(kept)
    assert lost <= set("，？\n 还有个另外")
