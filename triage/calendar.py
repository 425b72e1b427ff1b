"""Business calendars 工作日历: when a clock runs, with several intervals a day, holidays, 调休 and night shifts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

FILE = Path(__file__).with_name("calendars.yml")
SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = 24 * 60
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FURTHEST = 3660

Interval = tuple[int, int]


class CalendarError(ValueError):
    """The calendar file is wrong, or a calendar never opens; the message names which."""


@dataclass(frozen=True)
class BusinessCalendar:
    """Minutes a day in which time counts.

    `week`: for each weekday (0 = Monday) intervals as (first minute, end minute) of the day; an end past 1440 reaches
    into the next day, which is how a night shift is written. `holidays` do not open; `working` days (调休) open as
    their week's `working_as` weekday does. A night shift belongs to the day it begins on.
    """

    name: str
    week: Mapping[int, Sequence[Interval]]
    holidays: frozenset[date] = frozenset()
    working: frozenset[date] = frozenset()
    working_as: int = 0
    _days: dict[date, tuple[Interval, ...]] = field(default_factory=dict, compare=False, repr=False)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Open time from `start` to `end`; zero when `end` is not later."""
        total, moment = timedelta(), start.astimezone(SHANGHAI)
        finish = end.astimezone(SHANGHAI)
        day = moment.date()
        while day <= finish.date():
            for first, last in self._open(day):
                opens, closes = _at(day, first), _at(day, last)
                total += max(timedelta(), min(closes, finish) - max(opens, moment))
            day += timedelta(days=1)
        return total

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """The earliest moment by which `duration` of open time has passed since `start`.

        Raises `CalendarError` when that is more than ten years away.
        """
        if duration <= timedelta():
            return start
        moment, left = start.astimezone(SHANGHAI), duration
        for ahead in range(FURTHEST):
            day = moment.date() + timedelta(days=ahead)
            for first, last in self._open(day):
                opens, closes = max(_at(day, first), moment), _at(day, last)
                if closes <= opens:
                    continue
                if closes - opens >= left:
                    return (opens + left).astimezone(start.tzinfo)
                left -= closes - opens
        raise CalendarError(f"calendar {self.name!r} does not open for {duration} within ten years of {start}")

    def _open(self, day: date) -> tuple[Interval, ...]:
        """The day's open minutes as disjoint intervals, with what the night before left over."""
        known = self._days.get(day)
        if known is None:
            overflow = [(max(0, a - DAY), b - DAY) for a, b in self._shifts(day - timedelta(days=1)) if b > DAY]
            own = [(a, min(b, DAY)) for a, b in self._shifts(day) if a < DAY]
            known = self._days[day] = _union([*overflow, *own])
        return known

    def _shifts(self, day: date) -> Sequence[Interval]:
        if day in self.working:
            return self.week.get(self.working_as, ())
        return () if day in self.holidays else self.week.get(day.weekday(), ())


def _at(day: date, minute: int) -> datetime:
    # Shanghai has no daylight saving: wall-clock arithmetic is exact
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) + timedelta(minutes=minute)


def _union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        elif first < last:
            merged.append((first, last))
    return tuple(merged)


@lru_cache
def load(file: Path = FILE) -> Mapping[str, BusinessCalendar]:
    """The calendars by name; raises `CalendarError`."""
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    try:
        holidays = frozenset(
            row["from"] + timedelta(days=n)
            for row in data["holidays"]
            for n in range((row["to"] - row["from"]).days + 1)
        )
        working = frozenset(data["working_weekends"])
        found = {name: _calendar(name, rows, holidays, working) for name, rows in data["calendars"].items()}
    except (KeyError, TypeError, ValueError) as error:
        raise CalendarError(f"{file.name}: {error}") from error
    if "always" not in found:
        raise CalendarError(f"{file.name}: the calendar 'always' is missing")
    return found


def _calendar(
    name: str, rows: Mapping[str, Any], holidays: frozenset[date], working: frozenset[date]
) -> BusinessCalendar:
    week: dict[int, list[Interval]] = {}
    for days, intervals in rows.items():
        if days == "holidays":
            continue
        for weekday in _weekdays(days):
            week.setdefault(weekday, []).extend(_interval(text) for text in intervals)
    if not any(week.values()):
        raise CalendarError(f"calendar {name!r} never opens")
    return BusinessCalendar(
        name, week, holidays if rows["holidays"] else frozenset(), working if rows["holidays"] else frozenset()
    )


def _weekdays(days: str) -> range:
    if days == "every_day":
        return range(7)
    first, _, last = days.partition("-")
    return range(WEEKDAYS.index(first), WEEKDAYS.index(last or first) + 1)


def _interval(text: str) -> Interval:
    first, last = (int(clock[:2]) * 60 + int(clock[3:]) for clock in text.split("-"))
    if not (0 <= first < DAY and 0 <= last <= DAY and first != last):
        raise CalendarError(f"{text!r} is no interval")
    return first, last if last > first else last + DAY
