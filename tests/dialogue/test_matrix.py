"""Every question of every form meets every interruption: the form resumes, changes or ends as it should."""

from __future__ import annotations

import pytest

from tests.product import Customer, Product

pytestmark = pytest.mark.rasa
# how to get to each question of each form, and the words it asks with
STATES = {
    "account number": (["查电费"], "户号"),
    "phone ending": (["查电费", "3310000017"], "后四位"),
    "threshold": (["设置用电提醒", "3310041007 1443"], "多少时提醒"),
    "area": (["我家停电了"], "停电的地方"),
    "scope": (["青枫县翠湖小区没电了"], "邻居"),
    "matter": (["我要投诉"], "发生了什么"),
}
# what is said then, and what the customer must hear; ASKS: the form's own question again; any of several is enough
ASKS = "ASKS"
INTERRUPTIONS = {
    "request for a human": ("转人工", ["转接"]),
    "never mind": ("算了", ["先不办理"]),
    "small talk": ("你好", [ASKS]),
    "are you a robot": ("你是机器人吗", [ASKS]),
    "billing question": ("怎么缴电费", ["网上国网"]),
    "outage question": ("什么时候来电", ["停电的地方", "翠湖小区", "枫林苑", "营销系统"]),
    "goodbye": ("再见", ["再见"]),
    "abuse": ("你们都是饭桶", [ASKS, "DQ", "没听明白", "不归供电", "发生了什么"]),
    "correction": ("不对，是3号楼", [ASKS, "没有找到", "先不办理", "没听明白", "位数字", "单位", "四位"]),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("interruption", INTERRUPTIONS)
def test_an_interruption_is_taken(product: Product, state: str, interruption: str) -> None:
    customer = Customer(product)
    steps, question = STATES[state]
    for step in steps:
        heard = customer.hear(step)
    assert question in heard
    said, expected = INTERRUPTIONS[interruption]
    heard = customer.hear(said)
    wanted = [question if words == ASKS else words for words in expected]
    assert any(words in heard for words in wanted), f"{wanted} not in {heard}"
    # whatever happened, a person is always one word away
    if interruption == "request for a human":
        customer.look(0.5)
        assert customer.owner == "queue"
    elif customer.owner == "bot":
        assert "转接" in customer.hear("转人工")


@pytest.mark.parametrize("state", STATES)
def test_what_is_not_understood_twice_goes_to_a_person(product: Product, state: str) -> None:
    if state == "matter":
        pytest.skip("whatever is said there is the matter")
    customer = Customer(product)
    for step in STATES[state][0]:
        customer.hear(step)
    customer.hear("呲嘚噗咯啵")
    heard = customer.hear("呲嘚呃佛歌啊啵")
    customer.look(0.5)
    assert customer.owner == "queue", heard
