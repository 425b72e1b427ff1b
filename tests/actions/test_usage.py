"""Tiers, their pace and the what-if of 峰谷, on the sample city and by law."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.sample_city import City, Seedling
from actions.systems import DailyUsage
from actions.tariff import load
from actions.usage import pace, what_if

NOW = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
TARIFFS = load()
CITY = City(2026, NOW, TARIFFS)
HOMES = [one for one in CITY.accounts.values() if one.status == "normal"]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(HOMES))
def test_what_if_is_what_the_tariff_table_bills(one: Seedling) -> None:
    tariff, bills = TARIFFS[one.tariff], CITY.bills(one)
    found = what_if(tariff, bills)
    if found is None:
        assert not tariff.tou
        return
    billed = sum(line.amount for bill in bills[:12] for line in bill.lines if line.kwh)
    assert (found.with_tou if tariff.on_tou else found.without) == billed
    assert found.saving == found.without - found.with_tou


KEYS = st.sampled_from(["zhejiang", "jiangsu", "henan"])


@given(share=st.decimals(0, 1, places=3), kwh=st.integers(1, 900), key=KEYS)
def test_below_the_break_even_share_time_of_use_costs_more(share: Decimal, kwh: int, key: str) -> None:
    tariff = TARIFFS[key]
    valley = Decimal(kwh) * share
    flat = Decimal(kwh) * tariff.price(1)
    exact = valley * tariff.tou[1].valley + (kwh - valley) * tariff.tou[1].peak
    even = tariff.tou[1].break_even(tariff.price(1))
    assert even is not None
    assert (exact <= flat) == (share >= even) or abs(exact - flat) < Decimal("0.0001")


@pytest.mark.parametrize(
    ("peak", "valley", "used", "total"),
    [
        # 浙江: hours first, then +0.05 and +0.30 on the total
        ("100", "100", "0", "85.60"),
        ("100", "100", "2660", "90.60"),
        ("0", "10", "4800", "5.88"),
    ],
)
def test_time_of_use_adds_the_tiers_on_the_total(peak: str, valley: str, used: str, total: str) -> None:
    lines = TARIFFS["zhejiang"].tou_bill(Decimal(peak), Decimal(valley), Decimal(0), 5, Decimal(used))
    assert sum(line.amount for line in lines) == Decimal(total)


def _days(kwh: str, last: date, count: int) -> list[DailyUsage]:
    return [DailyUsage(last - timedelta(days=i), Decimal(kwh), NOW) for i in range(count)]


def test_the_pace_tells_when_the_tier_is_crossed() -> None:
    beijing = TARIFFS["beijing"]
    now = pace(beijing, [], _days("10", date(2026, 11, 22), 22), date(2026, 11, 24))
    assert (now.used, now.tier, now.left, now.daily) == (Decimal(220), 1, Decimal(20), Decimal(10))
    assert now.crossed == date(2026, 11, 25)
    slow = pace(beijing, [], _days("1", date(2026, 11, 22), 22), date(2026, 11, 24))
    assert slow.crossed is None


def test_a_version_of_a_table_holds_from_its_day(tmp_path: Path) -> None:
    block = """
    blocks: [{months: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], tiers: [{upto: null, price: "0.5"}]}]"""
    old = "  - name: old\n    cycle: month\n    since: 2025-01-01\n    source: a"
    new = "  - name: new\n    cycle: month\n    since: 2026-07-01\n    source: b"
    file = tmp_path / "tariffs.yml"
    file.write_text(f"here:\n{old}{block}\n{new}{block}\n", "utf-8")
    days = (date(2024, 1, 1), date(2026, 6, 30), date(2026, 7, 1), None)
    assert [load(file, day)["here"].name for day in days] == ["old", "old", "new", "new"]
