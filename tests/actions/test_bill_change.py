"""The parts of a changed bill sum exactly; each cause alone moves its own part alone."""

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from actions.bill_change import compare
from actions.systems import Bill, BillLine

NOW = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
CENTS = st.decimals(-500, 2000, places=2)
KWH = st.decimals(0, 3000, places=1)
PRICE = st.decimals(Decimal("0.01"), 2, places=4)


def bill(month: str, lines: list[BillLine], peak: Decimal = Decimal(0)) -> Bill:
    kwh = sum((line.kwh for line in lines if "加价" not in line.name), Decimal(0))
    amount = sum((line.amount for line in lines), Decimal(0))
    return Bill(month, kwh, peak, kwh - peak, amount, Decimal(0), date(2026, 12, 20), True, None, tuple(lines), NOW)


def line(name: str, kwh: str, price: str) -> BillLine:
    amount = (Decimal(kwh) * Decimal(price)).quantize(Decimal("0.01"))
    return BillLine(name, Decimal(kwh), Decimal(price), amount)


LINES = st.lists(
    st.builds(BillLine, st.sampled_from(["第一档", "第二档", "高峰", "低谷", "第二档加价", "补收"]), KWH, PRICE, CENTS),
    max_size=5,
)
MONTHS = st.sampled_from(["2026-01", "2026-02", "2025-02", "2024-02", "2026-10", "2025-11"])


@given(MONTHS, LINES, MONTHS, LINES)
def test_the_parts_sum_exactly_to_the_difference(
    month: str, lines: list[BillLine], before: str, old: list[BillLine]
) -> None:
    one, other = bill(month, lines), bill(before, old)
    change = compare(one, other)
    assert change.total == one.amount - other.amount
    assert sum(change.parts().values(), Decimal(0)) == change.total
    sizes = [abs(value) for value in change.parts().values()]
    assert sizes == sorted(sizes, reverse=True)


@given(MONTHS, LINES)
def test_a_bill_differs_from_itself_in_nothing(month: str, lines: list[BillLine]) -> None:
    assert compare(bill(month, lines), bill(month, lines)).parts() == {}


def test_each_cause_moves_its_own_part() -> None:
    old = bill("2026-10", [line("第一档", "310", "0.5")])
    assert list(compare(bill("2026-08", [line("第一档", "400", "0.5")]), old).parts()) == ["usage"]
    assert list(compare(bill("2026-11", [line("第一档", "300", "0.5")]), old).parts()) == ["days"]
    assert list(compare(bill("2026-08", [line("第一档", "310", "0.6")]), old).parts()) == ["price"]
    jump = compare(bill("2026-08", [line("第一档", "210", "0.5"), line("第二档", "100", "0.8")]), old)
    assert jump.parts() == {"tier": Decimal("30.00")}
    extra = BillLine("补收上期少计电费", Decimal(0), Decimal(0), Decimal("26.80"))
    assert compare(bill("2026-08", [*old.lines, extra]), old).parts() == {"one_off": Decimal("26.80")}


def test_a_larger_share_of_peak_hours_is_told_as_such() -> None:
    before = bill("2026-10", [line("高峰", "100", "0.6"), line("低谷", "200", "0.3")], Decimal(100))
    after = bill("2026-08", [line("高峰", "200", "0.6"), line("低谷", "100", "0.3")], Decimal(200))
    assert compare(after, before).parts() == {"peak": Decimal("30.00")}
