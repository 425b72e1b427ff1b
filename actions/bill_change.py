"""Why a bill differs from another one: days, usage, tiers, peak share, prices and one-off items, exact to the cent.

The parts are found one after the other at the other bill's prices (Laspeyres), so that each is a sum of kWh × yuan:
days and usage at the other bill's average price; then what the mix of tiers and of peak hours adds; then what changed
prices add; one-off items stand apart. Usage takes what rounding leaves, so the parts sum exactly to the difference.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from actions.systems import Bill, BillLine

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Change:
    """Yuan by which a bill exceeds another, split; the six parts sum to `total`."""

    total: Decimal
    days: Decimal
    usage: Decimal
    tier: Decimal
    peak: Decimal
    price: Decimal
    one_off: Decimal

    def parts(self) -> dict[str, Decimal]:
        """The six parts by name, the largest (of either sign) first; parts of nothing are left out."""
        named = {name: getattr(self, name) for name in ("days", "usage", "tier", "peak", "price", "one_off")}
        return dict(sorted(((n, v) for n, v in named.items() if v), key=lambda item: -abs(item[1])))


def compare(bill: Bill, other: Bill) -> Change:
    """Split `bill.amount - other.amount`."""
    total = bill.amount - other.amount
    one_off = _one_off(bill) - _one_off(other)
    before = _prices(other)
    average = _average(other) if other.kwh else _average(bill)
    at_old_prices = sum((Fraction(x.kwh) * before.get(x.name, Fraction(x.price)) for x in _energy(bill)), Fraction(0))
    price = sum((Fraction(x.kwh) * Fraction(x.price) for x in _energy(bill)), Fraction(0)) - at_old_prices
    mix = at_old_prices - Fraction(bill.kwh) * average if bill.kwh else Fraction(0)
    peak = _peak_effect(bill, other, before)
    if _by_hours(bill) != _by_hours(other):
        # changed to or from 峰谷: other prices for the same kWh, no jump of tier
        mix, peak, price = Fraction(0), Fraction(0), price + mix
    days = Fraction(0)
    if other.kwh:
        one_day = Fraction(other.kwh) / _days(other)
        days = (_days(bill) - _days(other)) * one_day * average
    found = [_cents(value) for value in (days, mix - peak, peak, price)]
    return Change(total, found[0], total - sum(found) - one_off, found[1], found[2], found[3], one_off)


def _energy(bill: Bill) -> list[BillLine]:
    return [line for line in bill.lines if line.kwh]


def _one_off(bill: Bill) -> Decimal:
    return bill.amount - sum((line.amount for line in _energy(bill)), Decimal(0))


def _average(bill: Bill) -> Fraction:
    """Yuan per kWh of the whole bill without one-off items."""
    if not bill.kwh:
        return Fraction(0)
    return sum((Fraction(x.kwh) * Fraction(x.price) for x in _energy(bill)), Fraction(0)) / Fraction(bill.kwh)


def _prices(bill: Bill) -> dict[str, Fraction]:
    """Yuan per kWh by line; lines of one name count together."""
    kwh: dict[str, Fraction] = {}
    cost: dict[str, Fraction] = {}
    for line in _energy(bill):
        kwh[line.name] = kwh.get(line.name, Fraction(0)) + Fraction(line.kwh)
        cost[line.name] = cost.get(line.name, Fraction(0)) + Fraction(line.kwh) * Fraction(line.price)
    return {name: cost[name] / kwh[name] for name in kwh}


def _by_hours(bill: Bill) -> bool:
    return any(line.name in ("高峰", "低谷") for line in _energy(bill))


def _peak_effect(bill: Bill, other: Bill, before: dict[str, Fraction]) -> Fraction:
    """What a larger share of peak hours adds; nothing where peak and valley cost the same."""
    prices = _prices(bill) | before
    if "高峰" not in prices or "低谷" not in prices or not bill.kwh or not other.kwh:
        return Fraction(0)
    share = Fraction(bill.peak_kwh) / Fraction(bill.kwh) - Fraction(other.peak_kwh) / Fraction(other.kwh)
    return Fraction(bill.kwh) * share * (prices["高峰"] - prices["低谷"])


def _days(bill: Bill) -> int:
    return monthrange(int(bill.month[:4]), int(bill.month[5:]))[1]


def _cents(value: Fraction) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(CENT, ROUND_HALF_UP)
