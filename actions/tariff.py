"""Residential tier prices 居民阶梯电价: what some kWh cost, and how many are left in the tier.

National basis: 发改价格〔2011〕2617号, three tiers, counted by the month or by the year.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, TypeVar

import yaml

TARIFFS = Path(__file__).parent / "tariffs.yml"
CENT = Decimal("0.01")
T = TypeVar("T")
TIERS = ("第一档", "第二档", "第三档")


class TariffError(ValueError):
    """A price table or a request to it is wrong; the message names the tariff and the field."""


@dataclass(frozen=True)
class Tier:
    """One step 档: `upto` kWh of the cycle, inclusive (None: no limit), at `price` yuan per kWh."""

    upto: Decimal | None
    price: Decimal


@dataclass(frozen=True)
class Line:
    """One line of a bill: `kwh` of tier `tier` (from 1) at `price`; `amount` in yuan and whole cents."""

    tier: int
    name: str
    kwh: Decimal
    price: Decimal
    amount: Decimal


@dataclass(frozen=True)
class TimeOfUse:
    """峰谷 prices of tier 1 in yuan per kWh; a higher tier adds the same as without time-of-use."""

    peak: Decimal
    valley: Decimal
    flat: Decimal
    hours: str

    def break_even(self, price: Decimal) -> Decimal | None:
        """The share of valley kWh above which time-of-use costs less than `price` for all; None if it never does."""
        if self.peak <= price:
            return Decimal(0)
        return None if self.valley >= price else (self.peak - price) / (self.peak - self.valley)


@dataclass(frozen=True)
class Tariff:
    """A price table that holds from `since`; `tiers` maps each month (1–12) to its tiers in ascending order.

    `tou` holds the months in which 峰谷 prices can be chosen; `on_tou` when the account is billed by them.
    """

    name: str
    cycle: str
    source: str
    since: date
    tiers: dict[int, tuple[Tier, ...]]
    tou: dict[int, TimeOfUse]
    on_tou: bool = False

    def bill(self, kwh: Decimal, month: int, used: Decimal = Decimal(0)) -> list[Line]:
        """Price `kwh` used in `month` after `used` kWh of the same cycle.

        The lines sum to the exact total rounded once to the cent: rounding differences stay inside the lines.
        Raises `TariffError` for a negative or non-finite quantity or an unknown month.
        """
        return _priced(
            [(n, TIERS[n - 1], part, self._of(month)[n - 1].price) for n, part in self._parts(kwh, month, used)]
        )

    def tou_bill(self, peak: Decimal, valley: Decimal, flat: Decimal, month: int, used: Decimal) -> list[Line]:
        """Price by 峰谷: the prices of the hours first, then what tiers 2 and 3 add on the total.

        Raises `TariffError` as `bill` does, and when the month has no 峰谷 prices. Source of the order: 江苏's rule.
        """
        tou = self.tou.get(month)
        if tou is None:
            raise TariffError(f"{self.name}: no time-of-use prices in month {month}")
        tiers = self._of(month)
        hours = [("高峰", peak, tou.peak), ("平段", flat, tou.flat), ("低谷", valley, tou.valley)]
        rows = [(1, name, kwh, price) for name, kwh, price in hours if kwh > 0]
        for number, part in self._parts(peak + valley + flat, month, used):
            if number > 1:
                rows.append((number, f"{TIERS[number - 1]}加价", part, tiers[number - 1].price - tiers[0].price))
        return _priced(rows)

    def price(self, month: int) -> Decimal:
        """Of tier 1, yuan per kWh."""
        return self._of(month)[0].price

    def tier(self, used: Decimal, month: int) -> int:
        """The tier, from 1, that the next kWh after `used` belongs to."""
        return next(n for n, tier in enumerate(self._of(month), 1) if tier.upto is None or used < tier.upto)

    def _parts(self, kwh: Decimal, month: int, used: Decimal) -> list[tuple[int, Decimal]]:
        for field, value in (("kwh", kwh), ("used", used)):
            if not value.is_finite() or value < 0:
                raise TariffError(f"{self.name}: {field} must be a number of at least 0, got {value}")
        parts: list[tuple[int, Decimal]] = []
        start = Decimal(0)
        for number, tier in enumerate(self._of(month), 1):
            end = used + kwh if tier.upto is None else min(tier.upto, used + kwh)
            if (part := end - max(start, used)) > 0:
                parts.append((number, part))
            start = end if tier.upto is None else tier.upto
        return parts

    def left_in_tier(self, used: Decimal, month: int) -> Decimal | None:
        """kWh until the next tier begins, or None in the last one."""
        for tier in self._of(month):
            if tier.upto is None:
                return None
            if used < tier.upto:
                return tier.upto - used
        return None

    def _of(self, month: int) -> tuple[Tier, ...]:
        if month not in self.tiers:
            raise TariffError(f"{self.name}: month must be 1 to 12, got {month}")
        return self.tiers[month]


def load(file: Path = TARIFFS, day: date | None = None) -> dict[str, Tariff]:
    """The price tables of `file` by key; raises `TariffError` naming the table that is wrong.

    A key may have several versions: the one that holds on `day` (default: the newest) is returned, or the oldest when
    none is that old.
    """
    found: dict[str, Tariff] = {}
    for key, tables in yaml.safe_load(file.read_text("utf-8")).items():
        versions = sorted(
            (read(key, table) for table in (tables if isinstance(tables, list) else [tables])), key=lambda t: t.since
        )
        holding = [version for version in versions if day is None or version.since <= day]
        found[key] = holding[-1] if holding else versions[0]
    return found


def read(key: str, table: Mapping[str, Any]) -> Tariff:
    """One price table, written as in tariffs.yml; raises `TariffError`."""
    if table.get("cycle") not in ("month", "year"):
        raise TariffError(f"{key}: cycle must be 'month' or 'year', got {table.get('cycle')!r}")
    try:
        tiers = _by_month(key, table["blocks"], _tiers)
        if set(tiers) != set(range(1, 13)):
            raise TariffError(f"{key}: the blocks must cover the months 1 to 12, got {sorted(tiers)}")
        since = date.fromisoformat(str(table["since"]))
        tou = _by_month(key, table.get("tou") or (), lambda _, block: _tou(block, tiers[block["months"][0]][0].price))
        on_tou = bool(table.get("on_tou", False))
        return Tariff(table["name"], table["cycle"], table["source"], since, tiers, tou, on_tou)
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        if isinstance(error, TariffError):
            raise
        raise TariffError(f"{key}: {error!r}") from error


def _by_month(
    key: str, blocks: Iterable[Mapping[str, Any]], read: Callable[[str, Mapping[str, Any]], T]
) -> dict[int, T]:
    months: dict[int, T] = {}
    for block in blocks:
        value = read(key, block)
        for month in block["months"]:
            if month in months:
                raise TariffError(f"{key}: month {month} has two blocks")
            months[month] = value
    return months


def _tiers(key: str, block: Mapping[str, Any]) -> tuple[Tier, ...]:
    tiers = tuple(
        Tier(None if row["upto"] is None else Decimal(row["upto"]), Decimal(row["price"])) for row in block["tiers"]
    )
    limits = [tier.upto for tier in tiers[:-1] if tier.upto is not None]
    if tiers[-1].upto is not None or len(limits) != len(tiers) - 1 or limits != sorted(set(limits)):
        raise TariffError(f"{key}: tier limits must ascend and only the last one is open (upto: null)")
    return tiers


def _tou(block: Mapping[str, Any], base: Decimal) -> TimeOfUse:
    peak, valley, flat = (Decimal(block.get(name, base)) for name in ("peak", "valley", "flat"))
    return TimeOfUse(peak, valley, flat, block["hours"])


def _priced(rows: Sequence[tuple[int, str, Decimal, Decimal]]) -> list[Line]:
    """Lines that sum to the exact total rounded once: rounding differences stay inside the lines."""
    lines: list[Line] = []
    exact = told = Decimal(0)
    for tier, name, kwh, price in rows:
        exact += kwh * price
        amount = exact.quantize(CENT, ROUND_HALF_UP) - told
        told += amount
        lines.append(Line(tier, name, kwh, price, amount))
    return lines
