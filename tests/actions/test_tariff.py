from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions import tariff

TABLES = tariff.load()
KWH = st.decimals(0, 9000, places=2)


@pytest.mark.parametrize(
    ("key", "kwh", "month", "total"),
    [
        ("guangzhou", "600", 7, "370.40"),
        ("guangzhou", "600", 3, "423.40"),
        ("beijing", "450", 1, "242.74"),
        ("zhejiang", "3000", 12, "1626.00"),
        ("sichuan", "200", 5, "106.48"),
    ],
)
def test_reference_amounts(key: str, kwh: str, month: int, total: str) -> None:
    assert sum(line.amount for line in TABLES[key].bill(Decimal(kwh), month)) == Decimal(total)


@given(key=st.sampled_from(sorted(TABLES)), kwh=KWH, used=KWH, month=st.integers(1, 12))
def test_lines_hold_every_kwh_and_sum_to_the_cent(key: str, kwh: Decimal, used: Decimal, month: int) -> None:
    lines = TABLES[key].bill(kwh, month, used)
    assert sum(line.kwh for line in lines) == kwh
    exact = sum((line.kwh * line.price for line in lines), Decimal(0))
    assert sum(line.amount for line in lines) == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert [line.tier for line in lines] == sorted({line.tier for line in lines})


@given(key=st.sampled_from(sorted(TABLES)), used=KWH, month=st.integers(1, 12))
def test_what_is_left_in_the_tier_costs_one_price_and_the_next_kwh_another(key: str, used: Decimal, month: int) -> None:
    left = TABLES[key].left_in_tier(used, month)
    if left is None:
        assert len(TABLES[key].bill(Decimal(1), month, used)) == 1
    else:
        assert len(TABLES[key].bill(left, month, used)) == 1
        assert len(TABLES[key].bill(left + Decimal("0.01"), month, used)) == 2


@pytest.mark.parametrize("kwh", ["-1", "NaN", "Infinity"])
def test_an_impossible_quantity_is_refused(kwh: str) -> None:
    with pytest.raises(tariff.TariffError, match="kwh must be a number of at least 0"):
        TABLES["beijing"].bill(Decimal(kwh), 1)


def test_an_unknown_month_is_refused() -> None:
    with pytest.raises(tariff.TariffError, match="month must be 1 to 12"):
        TABLES["beijing"].bill(Decimal(1), 13)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cycle: month", "cycle: week", "cycle must be"),
        ("upto: 240", "upto: 500", "must ascend"),
        ("[1, 2, 3,", "[2, 3,", "must cover"),
        ("[1, 2, 3,", "[1, 1, 3,", "two blocks"),
    ],
)
def test_a_wrong_table_is_refused_by_name(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "tariffs.yml"
    file.write_text(tariff.TARIFFS.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(tariff.TariffError, match=f"beijing: .*{message}"):
        tariff.load(file)
