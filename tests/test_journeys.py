"""What customers do, over the web door, with a real Rasa, classifier, queue and database."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.product import Customer, Product

pytestmark = pytest.mark.rasa
ACCOUNT, ENDING = "3310000017", "1580"
FAULTY, FAULTY_ENDING = "3310004116", "4005"


@pytest.fixture
def customer(product: Product) -> Iterator[Customer]:
    yield Customer(product)


def test_a_bill_is_told_with_its_lines_after_verification(customer: Customer) -> None:
    assert "户号" in customer.hear("我上个月电费多少")
    assert "后四位" in customer.hear("３３１０ ０００ ０１７")
    answer = customer.ask(ENDING)[0]
    assert re.search(r"电费\d+\.\d\d元", answer["text"]) and "数据时间" in answer["text"]
    assert answer["card"]["kind"] == "bill" and any("×" in value for _, value in answer["card"]["rows"])
    assert "户号" not in customer.hear("那9月电费呢")


def test_a_long_talk_is_shortened_without_harm(customer: Customer) -> None:
    """Longer than the dialogue keeps events: the form in progress and the slots stand all the same."""
    for _ in range(7):
        assert "您可以这样缴费" in customer.hear("怎么缴电费")
        customer.hear("你好")
    customer.hear("查电费")
    customer.hear(ACCOUNT)
    assert "数据时间" in customer.hear(ENDING)
    for _ in range(7):
        customer.hear("怎么缴电费")
    assert "户号" not in customer.hear("那9月电费呢")


@pytest.mark.parametrize("text", ["我上个月电费多少", "上月电费是多钱阿", "俺想查查上个月滴电费", "查一下电費"])
def test_messy_typing_is_understood(customer: Customer, text: str) -> None:
    assert "户号" in customer.hear(text)


def test_number_and_ending_may_come_in_one_message(customer: Customer) -> None:
    customer.hear("查电费")
    assert "数据时间" in customer.hear(f"户号{ACCOUNT}，手机尾号{ENDING}")


def test_an_outage_is_told_for_the_customers_own_area(customer: Customer) -> None:
    customer.hear("查电费")
    customer.hear(f"{FAULTY} 后四位{FAULTY_ENDING}")
    answer = customer.ask("我家停电了，什么时候来电")[0]
    assert "故障停电" in answer["text"] and "正在抢修" in answer["text"] and "数据时间" in answer["text"]
    assert answer["card"]["kind"] == "outage"


def test_an_outage_is_told_for_a_place_that_is_named(customer: Customer) -> None:
    assert "停电的地方" in customer.hear("什么时候来电啊")
    choices = customer.ask("锦绣江南")
    assert len(choices) == 1 and len(choices[0]["buttons"]) == 2
    chosen = choices[0]["buttons"][0]
    answer = customer.ask("", payload=chosen["payload"])[0]
    assert chosen["title"] in answer["text"] and "故障停电" in answer["text"]


def test_a_complaint_becomes_a_ticket_with_its_promise(customer: Customer) -> None:
    answer = customer.hear("你们抄表抄错了没人管，我要投诉")
    number = re.search(r"DQ\d+", answer)
    assert number and "内联系您" in answer
    assert number[0] in customer.hear("我的工单处理到哪了")


def test_a_bare_complaint_is_asked_what_happened(customer: Customer) -> None:
    assert "发生了什么" in customer.hear("我要投诉")
    assert "DQ" in customer.hear("营业厅的人让我跑了三趟，态度还很差")


def test_a_form_is_left_when_the_subject_changes(customer: Customer) -> None:
    customer.hear("查电费")
    answers = customer.ask("算了，转人工")
    assert "转接" in answers[0]["text"] and answers[-1]["from"] == "system"
    customer.look(1)
    assert customer.owner == "queue"


def test_five_wrong_endings_lock_the_contact_out(customer: Customer) -> None:
    customer.hear("查电费")
    for left in (4, 3, 2, 1):
        assert f"还可以试{left}次" in customer.hear(f"{ACCOUNT} 0000")
    assert "核验多次没有通过" in customer.hear(f"{ACCOUNT} 0000")
    assert "核验多次没有通过" in customer.hear("查电费")


def test_danger_is_answered_with_advice_and_a_ticket_before_rasa(customer: Customer) -> None:
    answers = customer.ask("高压线断了掉在路上，有人触电了")
    assert "120" in answers[0]["text"] and "95598" in answers[0]["text"]
    assert "DQ" in answers[-1]["text"]


@pytest.mark.parametrize(
    "text",
    ["/restart", '/query_bill{"account_no":"1"}', "<img src=x onerror=alert(1)>", "'; DROP TABLE message;--", "🙏\x07"],
)
def test_hostile_text_is_text_and_answered(customer: Customer, text: str) -> None:
    assert customer.hear(text)
    assert customer.seen[0]["text"] == text


def test_ten_thousand_characters_are_stored_and_answered(customer: Customer) -> None:
    text = "电费太高了" * 2000
    assert customer.hear(text)
    assert customer.seen[0]["text"] == text
    assert customer.post("x", text + "长")["code"] == "too_long"


def test_a_forged_button_is_only_text(customer: Customer) -> None:
    customer.ask("", payload='/query_bill{"account_no":"1"}')
    assert customer.seen[0]["text"] == '/query_bill{"account_no":"1"}'


def test_the_same_id_again_changes_nothing(customer: Customer) -> None:
    first = customer.post("same", "你好")
    assert customer.post("same", "你好") == first
