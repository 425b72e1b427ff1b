"""Answers about energy: daily usage, habits, what is left in the tier, and whether time-of-use pays."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from actions.billing import HOURS, MONTHS_KEPT, PERSON, SAVING
from actions.numbers import day as day_named
from actions.numbers import week
from actions.question import Answer, Question
from actions.speech import SHANGHAI, Clock, local, month_name, number
from actions.systems import Bill, BillingSystem, DailyUsage, SystemUnavailable
from actions.tariff import Tariff

USAGE_DAYS = 7
LATE = timedelta(days=3)  # a day's figures come one or two days later
HABIT_DAYS = 28
PACE_DAYS = 14
WHAT_IF_MONTHS = 12
SHOWN_TIERS = ("第一档", "第二档", "第三档")
SOURCE = "用电信息采集系统"


@dataclass(frozen=True)
class WhatIf:
    """A year by the account's own usage, in yuan: as it is billed without and with 峰谷; `saving` may be negative."""

    months: int
    without: Decimal
    with_tou: Decimal
    valley_share: Decimal

    @property
    def saving(self) -> Decimal:
        """What 峰谷 would have saved."""
        return self.without - self.with_tou


@dataclass(frozen=True)
class Pace:
    """Where an account stands in its tier cycle: kWh `used`, `tier` from 1, kWh `left` (None in the last tier),
    `daily` kWh of late, and the day the tier is crossed at that pace (None: not in this cycle)."""  # fmt: skip

    used: Decimal
    tier: int
    left: Decimal | None
    daily: Decimal
    crossed: date | None


def what_if(tariff: Tariff, bills: Sequence[Bill]) -> WhatIf | None:
    """Price the last twelve `bills` (newest first) both ways; None without 峰谷 prices for all their months."""
    year = [bill for bill in bills[:WHAT_IF_MONTHS] if bill.kwh]
    if not year or any(int(bill.month[5:]) not in tariff.tou for bill in year):
        return None
    without = with_tou = Decimal(0)
    for bill in year:
        month = int(bill.month[5:])
        used = used_before(tariff, bills, bill.month)
        flat = bill.kwh - bill.peak_kwh - bill.valley_kwh
        without += sum(line.amount for line in tariff.bill(bill.kwh, month, used))
        with_tou += sum(line.amount for line in tariff.tou_bill(bill.peak_kwh, bill.valley_kwh, flat, month, used))
    share = sum((b.valley_kwh for b in year), Decimal(0)) / sum((b.kwh for b in year), Decimal(0))
    return WhatIf(len(year), without, with_tou, share)


def used_before(tariff: Tariff, bills: Sequence[Bill], month: str) -> Decimal:
    """kWh of the same tier cycle billed before `month`."""
    if tariff.cycle == "month":
        return Decimal(0)
    return sum((b.kwh for b in bills if b.month[:4] == month[:4] and b.month < month), Decimal(0))


def pace(tariff: Tariff, bills: Sequence[Bill], days: Sequence[DailyUsage], today: date) -> Pace:
    """From this cycle's bills and the daily usage since the first of the month; `days` is newest first."""
    month = f"{today:%Y-%m}"
    unbilled = [day for day in days if f"{day.date:%Y-%m}" not in {bill.month for bill in bills}]
    this_cycle = [
        d for d in unbilled if d.date.year == today.year and (tariff.cycle == "year" or d.date.month == today.month)
    ]
    used = used_before(tariff, bills, month) + sum((day.kwh for day in this_cycle), Decimal(0))
    recent = days[:PACE_DAYS]
    daily = sum((day.kwh for day in recent), Decimal(0)) / len(recent) if recent else Decimal(0)
    left = tariff.left_in_tier(used, today.month)
    crossed = None
    if left is not None and daily > 0:
        last = days[0].date
        end = date(today.year + 1, 1, 1) if tariff.cycle == "year" else _next_month(today)
        ahead = int(left / daily) + 1
        if ahead < 400 and (day := last + timedelta(days=ahead)) < end:
            crossed = day
    return Pace(used, tariff.tier(used, today.month), left, daily, crossed)


class UsageAnswers:
    """Figures come from the billing system; what is computed from them says so."""

    def __init__(self, billing: BillingSystem, clock: Clock) -> None:
        """`clock` tells which days are the last ones."""
        self._billing = billing
        self._clock = clock
        self.answers: dict[str, Answer] = {
            "query_usage": self.usage,
            "ask_usage_analysis": self.analysis,
            "ask_tariff_tier": self.tier,
            "ask_tariff_tou": self.tou,
        }

    def _today(self) -> date:
        return self._clock().astimezone(SHANGHAI).date()

    async def usage(self, asked: Question) -> None:
        """The month, week or day asked for, or the last seven days."""
        assert asked.account_no is not None
        if asked.month and not self._one_day(asked):
            bills = await self._billing.bills(asked.account_no, MONTHS_KEPT)
            if (bill := next((b for b in bills if b.month == asked.month), None)) is not None:
                asked.say(
                    "say_month_usage", month=month_name(bill.month), kwh=number(bill.kwh),
                    peak=number(bill.peak_kwh), valley=number(bill.valley_kwh), as_of=local(bill.as_of),
                )  # fmt: skip
                rows = [("用电量", f"{number(bill.kwh)} 千瓦时")]
                asked.card("usage", f"{month_name(bill.month)}用电", rows, bill.as_of,
                           source="营销系统", chart=[[b.month, str(b.kwh)] for b in reversed(bills[:12])])  # fmt: skip
                return
        days = await self._days(asked, asked.account_no)
        if not days:
            asked.say("say_no_usage")
            return
        total = sum((day.kwh for day in days), Decimal(0))
        asked.say(
            "say_usage" if len(days) > 1 else "say_day_usage",
            start=_day(days[-1].date),
            end=_day(days[0].date),
            total=number(total),
            average=f"{total / len(days):.1f}",
            lines="\n".join(f"{_day(day.date)}：{number(day.kwh)}千瓦时" for day in days[:USAGE_DAYS]),
            as_of=_as_of(days),
        )
        rows = [(_day(day.date), f"{number(day.kwh)} 千瓦时") for day in days]
        asked.card("usage", "日用电量", rows, days[0].as_of, source=SOURCE,
                   chart=[[_day(day.date), str(day.kwh)] for day in reversed(days)])  # fmt: skip

    async def _days(self, asked: Question, account_no: str) -> Sequence[DailyUsage]:
        """The days named, newest first; without any, or while their figures are still to come, the last seven."""
        today = self._today()
        last = today - timedelta(days=USAGE_DAYS + 1), today
        if asked.month and not self._one_day(asked):
            start = date(int(asked.month[:4]), int(asked.month[5:]), 1)
            return await self._billing.usage(account_no, start, min(today, _next_month(start) - timedelta(days=1)))
        one = day_named(asked.text, today)
        named = week(asked.text, today) or ((one, one) if one is not None else last)
        days = await self._billing.usage(account_no, *named)
        if not days and named[1] >= today - LATE and (newest := await self._billing.usage(account_no, *last)):
            asked.say("say_no_usage_yet")
            days = newest
        return days[:USAGE_DAYS]

    def _one_day(self, asked: Question) -> bool:
        """Whether a day of the month is asked for, not the whole of it."""
        one = day_named(asked.text, self._today())
        return one is not None and f"{one:%Y-%m}" == asked.month

    async def analysis(self, asked: Question) -> None:
        """Four weeks: average, weekday and weekend, the highest day, the share of the valley, and the year before."""
        assert asked.account_no is not None
        today = self._today()
        days, bills = await asyncio.gather(
            self._billing.usage(asked.account_no, today - timedelta(days=HABIT_DAYS + 1), today),
            self._billing.bills(asked.account_no, MONTHS_KEPT),
        )
        days = days[:HABIT_DAYS]
        if not days:
            asked.say("say_no_usage")
            return
        highest = max(days, key=lambda day: day.kwh)
        found = [f"日均{_average(days):.1f}千瓦时，最高是{_day(highest.date)}，{number(highest.kwh)}千瓦时。"]
        weekend = [day for day in days if day.date.weekday() >= 5]
        week = [day for day in days if day.date.weekday() < 5]
        if weekend and week:
            found.append(f"工作日日均{_average(week):.1f}千瓦时，周末日均{_average(weekend):.1f}千瓦时。")
        if bills and bills[0].kwh:
            share = bills[0].valley_kwh / bills[0].kwh * 100
            found.append(f"{month_name(bills[0].month)}低谷用电占{share:.0f}%。")
            last_year = f"{int(bills[0].month[:4]) - 1}{bills[0].month[4:]}"
            if (other := next((b for b in bills if b.month == last_year), None)) is not None and other.kwh:
                change = (bills[0].kwh - other.kwh) / other.kwh * 100
                more = "多" if change > 0 else "少"
                found.append(f"比去年同月{more}用{abs(change):.0f}%。" if abs(change) >= 1 else "和去年同月差不多。")
        asked.say(
            "say_analysis", [SAVING, HOURS, PERSON], days=str(len(days)), lines="\n".join(found), as_of=_as_of(days)
        )
        asked.card("usage", "近四周用电", [("日均", f"{_average(days):.1f} 千瓦时")], days[0].as_of, source=SOURCE,
                   chart=[[_day(day.date), str(day.kwh)] for day in reversed(days)])  # fmt: skip

    async def tier(self, asked: Question) -> None:
        """How many kWh are left in the tier and about when it is crossed at the present pace."""
        if asked.account_no is None:
            asked.say("say_tier_rule")
            asked.say("say_look_up", [{"title": "查我家还剩多少", "payload": '/ask_tariff_tier{"confirmed":"yes"}'}])
            return
        today = self._today()
        tariff, bills = await asyncio.gather(self._tariff(asked.account_no), self._billing.bills(asked.account_no, 24))
        newest = bills[0].month if bills else f"{today:%Y-%m}"
        since = min(_next_month(date(int(newest[:4]), int(newest[5:]), 1)), today - timedelta(days=PACE_DAYS + 2))
        days = await self._billing.usage(asked.account_no, since, today)
        if not days:
            asked.say("say_no_usage")
            return
        now = pace(tariff, bills, days, today)
        cycle = "今年" if tariff.cycle == "year" else "本月"
        name = SHOWN_TIERS[now.tier - 1]
        if now.left is None:
            outlook = f"已在{name}，没有更高的档。"
        elif now.crossed is not None:
            outlook = f"{name}还剩{number(now.left)}千瓦时，按近期日均{now.daily:.1f}千瓦时，"
            outlook += f"约{_day(now.crossed)}进入下一档。"
        else:
            outlook = f"{name}还剩{number(now.left)}千瓦时，按近期日均{now.daily:.1f}千瓦时，{cycle}内不会进入下一档。"
        prices = "\n".join(_tier_line(tariff, today.month))
        asked.say(
            "say_tier", cycle=cycle, until=_day(days[0].date), used=number(now.used), outlook=outlook, prices=prices,
            tariff=tariff.name, tariff_source=tariff.source, since=_month(tariff.since), as_of=_as_of(days),
        )  # fmt: skip

    async def tou(self, asked: Question) -> None:
        """The account's own last year priced both ways; a loss is never recommended."""
        if asked.account_no is None:
            asked.say("say_tou_rule")
            asked.say("say_look_up", [{"title": "用我家的用电算一算", "payload": '/ask_tariff_tou{"confirmed":"yes"}'}])
            return
        tariff, bills = await asyncio.gather(self._tariff(asked.account_no), self._billing.bills(asked.account_no, 24))
        found = what_if(tariff, bills)
        if found is None:
            asked.say("say_tou_none", tariff=tariff.name, tariff_source=tariff.source)
            return
        month = self._today().month
        share = tariff.tou[month].break_even(tariff.price(month)) if month in tariff.tou else None
        response = ("say_tou_on_" if tariff.on_tou else "say_tou_") + ("saves" if found.saving > 0 else "loses")
        asked.say(
            response,
            months=str(found.months),
            share=f"{found.valley_share * 100:.0f}%",
            without=f"{found.without:.2f}",
            with_tou=f"{found.with_tou:.2f}",
            difference=f"{abs(found.saving):.2f}",
            break_even=f"{share * 100:.0f}%" if share is not None else "更高比例",
            hours=tariff.tou[month].hours if month in tariff.tou else "",
            tariff_source=tariff.source,
            since=_month(tariff.since),
            as_of=local(bills[0].as_of),
        )

    async def _tariff(self, account_no: str) -> Tariff:
        account = await self._billing.account(account_no)
        tariff = await self._billing.tariff(account.tariff) if account else None
        if tariff is None:
            raise SystemUnavailable("电价表", f"no price table for account {account_no[-4:]}")
        return tariff


def _tier_line(tariff: Tariff, month: int) -> list[str]:
    found = []
    for name, tier in zip(SHOWN_TIERS, tariff.tiers[month], strict=False):
        limit = f"至{number(tier.upto)}千瓦时" if tier.upto is not None else "以上部分"
        found.append(f"{name}{limit}{number(tier.price)}元")
    return found


def _average(days: Sequence[DailyUsage]) -> Decimal:
    return sum((day.kwh for day in days), Decimal(0)) / len(days)


def _as_of(days: Sequence[DailyUsage]) -> str:
    return local(days[0].as_of) if days[0].as_of else f"{_day(days[0].date)}的日电量"


def _day(day: date) -> str:
    return f"{day.month}月{day.day}日"


def _month(day: date) -> str:
    return f"{day.year}年{day.month}月"


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
