from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.numbers import account_no, last_four, month

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
