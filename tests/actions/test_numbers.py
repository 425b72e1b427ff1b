from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.numbers import (
    WEEK,
    account_no,
    amount,
    day,
    kwh,
    last_four,
    month,
    months,
    only_a_time,
    phone,
    ticket_no,
    week,
    year,
)

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("text", "number", "ending"),
    [
        ("我的户号是３３１００００１７９", "3310000179", None),
        ("3310 000 017", "3310000017", None),
        ("3310000017 0000", "3310000017", "0000"),
        ("户号3310000017，手机13812345678", "3310000017", "5678"),
        ("三三一零零零零零幺七", "3310000017", None),
        ("尾号幺五八零", None, "1580"),
        ("我忘了", None, None),
    ],
)
def test_numbers_are_read_as_customers_write_them(text: str, number: str | None, ending: str | None) -> None:
    assert (account_no(text), last_four(text)) == (number, ending)


@given(st.from_regex(r"\A[1-9][0-9]{9,15}\Z"), st.from_regex(r"\A[0-9]{4}\Z"))
def test_a_number_and_an_ending_are_told_apart(number: str, ending: str) -> None:
    assert account_no(f"户号{number}，后四位{ending}") == number
    assert last_four(f"户号{number}，后四位{ending}") == ending


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("上个月电费", "2026-10"),
        ("去年12月", "2025-12"),
        ("9月份", "2026-09"),
        ("十二月", "2025-12"),
        ("2026年3月", "2026-03"),
        ("这个月", "2026-11"),
        ("电费多少", None),
    ],
)
def test_months_are_never_in_the_future(text: str, wanted: str | None) -> None:
    assert month(text, TODAY) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("7月和8月的电费", ["2026-07", "2026-08"]),
        ("去年12月和今年1月", ["2025-12", "2026-01"]),
        ("23年12月", ["2023-12"]),
        ("二三年五月份", ["2023-05"]),
        ("二〇二五年十一月", ["2025-11"]),
        ("上上个月", ["2026-09"]),
        ("上个号头电费几钿", ["2026-10"]),
        ("2026-03账单", ["2026-03"]),
        ("这个月比上个月", ["2026-11", "2026-10"]),
        ("一个月电费多少", []),
        ("户号3310000017", []),
    ],
)
def test_every_month_is_found_in_its_order(text: str, wanted: list[str]) -> None:
    assert months(text, TODAY) == wanted


@pytest.mark.parametrize(
    ("text", "past", "future"),
    [
        ("昨晚停的", date(2026, 11, 23), date(2026, 11, 23)),
        ("大前天", date(2026, 11, 21), date(2026, 11, 21)),
        ("明早八点", date(2026, 11, 25), date(2026, 11, 25)),
        ("上周五", date(2026, 11, 20), date(2026, 11, 20)),
        ("下周一停电吗", date(2026, 11, 30), date(2026, 11, 30)),
        ("礼拜天", date(2026, 11, 22), date(2026, 11, 29)),
        ("11月3号", date(2026, 11, 3), date(2027, 11, 3)),
        ("12月3日", date(2025, 12, 3), date(2026, 12, 3)),
        ("十二月二十五号", date(2025, 12, 25), date(2026, 12, 25)),
        ("2026年12月10日", date(2026, 12, 10), date(2026, 12, 10)),
        ("下个月1号", date(2026, 12, 1), date(2026, 12, 1)),
        ("本月3号", date(2026, 11, 3), date(2026, 11, 3)),
        ("25号", date(2026, 10, 25), date(2026, 11, 25)),
        ("2月30号", None, None),
        ("3号楼没电", None, None),
        ("没电了", None, None),
    ],
)
def test_days_are_resolved_against_today(text: str, past: date | None, future: date | None) -> None:
    assert (day(text, TODAY), day(text, TODAY, past=False)) == (past, future)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("上周呢", (date(2026, 11, 16), date(2026, 11, 22))),
        ("上个星期", (date(2026, 11, 16), date(2026, 11, 22))),
        ("这礼拜用了多少", (date(2026, 11, 23), TODAY)),
        ("上上周", (date(2026, 11, 9), date(2026, 11, 15))),
        ("上周五", None),
        ("一周", None),
    ],
)
def test_weeks_begin_on_monday_and_end_today(text: str, wanted: tuple[date, date] | None) -> None:
    assert week(text, TODAY) == wanted


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_a_written_out_day_is_itself(which: date) -> None:
    assert day(f"{which.year}年{which.month}月{which.day}日停电", TODAY) == which
    assert month(f"{which.year}年{which.month}月", TODAY) == f"{which:%Y-%m}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("低于50元提醒我", "50"),
        ("五十块", "50"),
        ("一百二十三块五", "123.5"),
        ("3块2", "3.2"),
        ("两千三百元", "2300"),
        ("2万元", "20000"),
        ("一万二千元", "12000"),
        ("一百二块钱", "120"),
        ("８６．４元", "86.4"),
        ("300多块", "300"),
        ("50度", None),
    ],
)
def test_money_is_read_in_figures_and_words(text: str, wanted: str | None) -> None:
    assert amount(text) == (None if wanted is None else Decimal(wanted))


def test_energy_phones_and_tickets() -> None:
    assert kwh("超过三百度提醒我") == 300
    assert kwh("50元") is None
    assert phone("打幺三八一二三四五六七八") == "13812345678"
    assert phone("户号3310000017") is None
    assert ticket_no("工单dq２６１１２４００００１到哪了") == "DQ26112400001"
    assert account_no("手机13812345678，户号3310000017") == "3310000017"


def test_a_tickets_number_is_no_account() -> None:
    assert account_no("工单DQ26112400001催一下") is None
    assert account_no("户号3310000017，工单DQ26112400001") == "3310000017"


@pytest.mark.parametrize("text", ["上周末用了多少", "本周期的电量"])
def test_a_weekend_is_no_whole_week(text: str) -> None:
    assert WEEK.search(text) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("要去年的", 2025),
        ("2024年的账单", 2024),
        ("25年全年", 2025),
        ("去年10月", None),
        ("三年前", None),
        ("1580", None),
    ],
)
def test_a_year_is_one_without_a_month(text: str, wanted: int | None) -> None:
    assert year(text, TODAY) == wanted


@pytest.mark.parametrize("text", ["要去年的", "那三月份呢", "去年的能开吗", "12号的", "上周", "下周三呢？"])
def test_a_message_may_be_only_a_time(text: str) -> None:
    assert only_a_time(text)


@pytest.mark.parametrize("text", ["1580", "5", "去年电费", "三月份为什么这么高", "那呢", "1号楼"])
def test_what_names_more_than_a_time_is_more(text: str) -> None:
    assert not only_a_time(text)
