"""Residential tier prices 居民阶梯电价: what some kWh cost, and how many are left in the tier.

National basis: 发改价格〔2011〕2617号, three tiers, counted by the month or by the year.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import yaml

TARIFFS = Path(__file__).parent / "tariffs.yml"
CENT = Decimal("0.01")


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
    kwh: Decimal
    price: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Tariff:
    """A price table; `tiers` maps each month (1–12) to its tiers in ascending order."""

    name: str
    cycle: str
    source: str
    tiers: dict[int, tuple[Tier, ...]]

    def bill(self, kwh: Decimal, month: int, used: Decimal = Decimal(0)) -> list[Line]:
        """Price `kwh` used in `month` after `used` kWh of the same cycle.

        The lines sum to the exact total rounded once to the cent: rounding differences stay inside the lines.
        Raises `TariffError` for a negative or non-finite quantity or an unknown month.
        """
        for field, value in (("kwh", kwh), ("used", used)):
            if not value.is_finite() or value < 0:
                raise TariffError(f"{self.name}: {field} must be a number of at least 0, got {value}")
        lines: list[Line] = []
        exact = told = start = Decimal(0)
        for number, tier in enumerate(self._of(month), 1):
            end = used + kwh if tier.upto is None else min(tier.upto, used + kwh)
            part = end - max(start, used)
            if part > 0:
                exact += part * tier.price
                amount = exact.quantize(CENT, ROUND_HALF_UP) - told
                told += amount
                lines.append(Line(number, part, tier.price, amount))
            start = end if tier.upto is None else tier.upto
        return lines

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


def load(file: Path = TARIFFS) -> dict[str, Tariff]:
    """The price tables of `file` by key; raises `TariffError` naming the table that is wrong."""
    return {key: _tariff(key, table) for key, table in yaml.safe_load(file.read_text("utf-8")).items()}


def _tariff(key: str, table: dict[str, Any]) -> Tariff:
    if table.get("cycle") not in ("month", "year"):
        raise TariffError(f"{key}: cycle must be 'month' or 'year', got {table.get('cycle')!r}")
    months: dict[int, tuple[Tier, ...]] = {}
    for block in table["blocks"]:
        tiers = tuple(
            Tier(None if row["upto"] is None else Decimal(row["upto"]), Decimal(row["price"])) for row in block["tiers"]
        )
        limits = [tier.upto for tier in tiers[:-1] if tier.upto is not None]
        if tiers[-1].upto is not None or len(limits) != len(tiers) - 1 or limits != sorted(set(limits)):
            raise TariffError(f"{key}: tier limits must ascend and only the last one is open (upto: null)")
        for month in block["months"]:
            if month in months:
                raise TariffError(f"{key}: month {month} has two blocks")
            months[month] = tiers
    if set(months) != set(range(1, 13)):
        raise TariffError(f"{key}: the blocks must cover the months 1 to 12, got {sorted(months)}")
    return Tariff(table["name"], table["cycle"], table["source"], months)
