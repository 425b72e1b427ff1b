"""Promises 承诺: the utility's published times as dated configuration, and the words a customer is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from triage.calendar import SHANGHAI
from triage.clock import ClockKind

FILE = Path(__file__).with_name("promises.yml")
WORKING_DAY = timedelta(hours=8)


class PromiseError(ValueError):
    """The promises file is wrong; the message names the row."""


@dataclass(frozen=True)
class Limit:
    """One published time: `target` counted in `calendar`; `told` is empty unless it is verified.

    `categories` and `place` (urban, rural, remote) narrow it; in force from `since` until before `until`.
    """

    utility: str
    clock: ClockKind
    target: timedelta
    calendar: str
    source: str
    told: str
    since: date
    until: date | None
    categories: frozenset[str]
    place: str | None


class PromiseBook:
    """Which limit is in force for a ticket."""

    def __init__(self, utility: str, limits: tuple[Limit, ...]) -> None:
        """`utility` names whose promises count (sgcc, csg)."""
        self._limits = tuple(limit for limit in limits if limit.utility == utility)

    @classmethod
    def load(cls, file: Path = FILE) -> PromiseBook:
        """Read and check; raises `PromiseError`."""
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        limits = []
        for number, row in enumerate(data["limits"], 1):
            try:
                limits.append(_limit(row))
            except (KeyError, ValueError, TypeError) as error:
                raise PromiseError(f"{file.name}: limit {number}: {error!r}") from error
        return cls(data["utility"], tuple(limits))

    def find(self, clock: ClockKind, category: str, on: date, place: str = "urban") -> Limit | None:
        """The limit in force on that day: the most specific, then the newest; None when nothing is promised."""
        fitting = [
            limit
            for limit in self._limits
            if limit.clock is clock
            and limit.since <= on
            and (limit.until is None or on < limit.until)
            and (not limit.categories or category in limit.categories)
            and (limit.place is None or limit.place == place)
        ]
        return max(
            fitting, key=lambda found: (bool(found.categories), found.place is not None, found.since), default=None
        )


def _limit(row: dict[str, Any]) -> Limit:
    calendar = "always"
    if "working_days" in row:
        target, calendar = row["working_days"] * WORKING_DAY, "office"
    else:
        target = timedelta(minutes=row.get("minutes", 0), hours=row.get("hours", 0))
    if target <= timedelta():
        raise ValueError("minutes, hours or working_days must be more than 0")
    return Limit(
        row["utility"], ClockKind(row["clock"]), target, calendar, row["source"],
        row["told"] if row["verified"] else "", row["from"], row.get("until"),
        frozenset(row.get("categories", ())), row.get("place"),
    )  # fmt: skip


def when(moment: datetime) -> str:
    """A time as a customer reads it."""
    local = moment.astimezone(SHANGHAI)
    return f"{local.month}月{local.day}日 {local:%H:%M}"


def within(span: timedelta) -> str:
    """A span as a customer reads it, rounded up to the minute or hour."""
    minutes = -int(-span.total_seconds() // 60)
    return f"{minutes}分钟" if minutes < 120 else f"{-(-minutes // 60)}小时"
