"""Answers about money: bills, balance, arrears, late fee, and why a bill is high."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from actions.bill_change import Change, compare
from actions.numbers import year
from actions.question import Answer, Button, Question
from actions.speech import SHANGHAI, local, month_name, number
from actions.systems import Account, Bill, BillingSystem, SystemUnavailable

MONTHS_KEPT = 24
_LAST_YEAR = re.compile("[去上]年|前一年|年同|同期|同比")
CHART_MONTHS = 12
NOTABLE = Decimal("0.03")
PARTS = {
    "days": "计费天数",
    "usage": "用电量",
    "tier": "阶梯档位",
    "peak": "高峰用电占比",
    "price": "电价变化",
    "one_off": "一次性项目",
}
METER: Button = {"title": "申请校验电表", "payload": "/report_meter_problem"}
PERSON: Button = {"title": "转人工", "payload": "/request_human"}
ANALYSIS: Button = {"title": "分析我家用电", "payload": "/ask_usage_analysis"}
SAVING: Button = {"title": "省电建议", "payload": "/ask_energy_saving"}
TIERS: Button = {"title": "看阶梯还剩多少", "payload": "/ask_tariff_tier"}
HOURS: Button = {"title": "算算峰谷划不划算", "payload": "/ask_tariff_tou"}
# what fits when this part is the largest
NEXT_STEPS: Mapping[str, tuple[str, tuple[Button, ...]]] = {
    "days": ("say_next_days", (ANALYSIS, PERSON)),
    "usage": ("say_next_usage", (ANALYSIS, METER, SAVING, PERSON)),
    "tier": ("say_next_tier", (TIERS, PERSON)),
    "peak": ("say_next_peak", (HOURS, SAVING, PERSON)),
    "price": ("say_next_price", (HOURS, PERSON)),
    "one_off": ("say_next_one_off", (PERSON,)),
}


class BillingAnswers:
    """Every figure is the billing system's, with its time."""

    def __init__(self, billing: BillingSystem) -> None:
        """`billing` may raise `SystemUnavailable` in every answer."""
        self._billing = billing
        self.answers: dict[str, Answer] = {
            "query_bill": self.bill,
            "query_balance": self.balance,
            "query_arrears": self.arrears,
            "explain_high_bill": self.explain,
            "ask_late_fee": self.late_fee,
        }

    async def bill(self, asked: Question) -> None:
        """The month asked for, or the newest: total, state, lines and a chart of twelve months; of a year its sum."""
        bills = await self._billing.bills(_account(asked), MONTHS_KEPT)
        if (named := billed_year(asked, bills)) is not None:
            _say_year(asked, named, bills)
            return
        bill = _meant(asked, bills)
        if bill is None:
            return
        due = f"{bill.due_date.month}月{bill.due_date.day}日"
        state = "已缴清" if bill.paid else f"还没有缴，请在{due}前缴费"
        if bill.late_fee and not bill.paid:
            state = f"还没有缴，{due}已到期，另有违约金{bill.late_fee:.2f}元"
        asked.say(
            "say_bill",
            month=month_name(bill.month),
            amount=f"{bill.amount:.2f}",
            kwh=number(bill.kwh),
            state=state,
            lines="\n".join(_lines(bill)),
            as_of=local(bill.as_of),
        )
        _card(asked, bill, bills)

    async def balance(self, asked: Question) -> None:
        """What is left on a prepaid account; what is due on a postpaid one."""
        account = await self.account(_account(asked))
        if account.kind == "prepaid":
            short = account.balance < 0
            asked.say(
                "say_prepaid_short" if short else "say_balance",
                balance=f"{abs(account.balance):.2f}",
                as_of=local(account.as_of),
            )
        elif account.balance > 0:
            asked.say("say_credit", balance=f"{account.balance:.2f}", as_of=local(account.as_of))
        else:
            await self._owed(asked, account)

    async def arrears(self, asked: Question) -> None:
        """Unpaid bills with late fee apart; a prepaid account below zero."""
        account = await self.account(_account(asked))
        if account.kind == "prepaid":
            await self.balance(asked)
        else:
            await self._owed(asked, account)

    async def late_fee(self, asked: Question) -> None:
        """The rule with its source; with a verified account, what it owes of it."""
        asked.say("say_late_fee_rule")
        if asked.account_no is None:
            asked.say("say_look_up", [{"title": "查我家的违约金", "payload": '/ask_late_fee{"confirmed":"yes"}'}])
            return
        bills = await self._billing.bills(asked.account_no, MONTHS_KEPT)
        late = [bill for bill in bills if bill.late_fee and not bill.paid]
        as_of = local(bills[0].as_of) if bills else ""
        if late:
            lines = "\n".join(
                f"{month_name(b.month)}：{b.due_date.month}月{b.due_date.day}日到期，违约金{b.late_fee:.2f}元"
                for b in late
            )
            asked.say("say_late_fee", total=f"{sum(b.late_fee for b in late):.2f}", lines=lines, as_of=as_of)
        elif bills:
            asked.say("say_no_late_fee", as_of=as_of)

    async def explain(self, asked: Question) -> None:
        """The change against last month and the same month last year, split exactly; the one asked about first."""
        bills = await self._billing.bills(_account(asked), MONTHS_KEPT)
        bill = _meant(asked, bills)
        if bill is None:
            return
        year, month = int(bill.month[:4]), int(bill.month[5:])
        before = f"{year}-{month - 1:02d}" if month > 1 else f"{year - 1}-12"
        others = [("上个月", before), ("去年同月", f"{year - 1}-{month:02d}")]
        if _LAST_YEAR.search(asked.text):
            others.reverse()
        found = [(name, compare(bill, other)) for name, m in others if (other := _find(bills, m)) is not None]
        asked.say(
            "say_explain",
            month=month_name(bill.month),
            amount=f"{bill.amount:.2f}",
            kwh=number(bill.kwh),
            comparison="\n".join(_told(name, change) for name, change in found) or "没有更早的账单可以比较。",
            as_of=local(bill.as_of),
        )
        _card(asked, bill, bills, [(f"比{name}", _told_short(change)) for name, change in found])
        # the first comparison that shows a rise worth a step
        risen = next(((n, c) for n, c in found if c.total > bill.amount * NOTABLE), None)
        if risen is None:
            asked.say("say_next_lower", (ANALYSIS, PERSON))
            return
        largest = next(part for part, value in risen[1].parts().items() if value > 0)
        response, buttons = NEXT_STEPS[largest]
        asked.say(response, buttons, other=risen[0])

    async def account(self, account_no: str) -> Account:
        """The verified account; raises `SystemUnavailable` if the system has lost it."""
        account = await self._billing.account(account_no)
        if account is None:
            raise SystemUnavailable("营销系统", f"verified account {account_no[-4:]} is unknown")
        return account

    async def _owed(self, asked: Question, account: Account) -> None:
        owed = [bill for bill in await self._billing.bills(account.account_no, MONTHS_KEPT) if not bill.paid]
        if not owed:
            asked.say("say_nothing_due", as_of=local(account.as_of))
            return
        amount = sum((bill.amount for bill in owed), Decimal(0))
        late = sum((bill.late_fee for bill in owed), Decimal(0))
        asked.say(
            "say_arrears",
            [{"title": "怎么缴费", "payload": "/pay_bill"}],
            count=str(len(owed)),
            total=f"{amount + late:.2f}",
            amount=f"{amount:.2f}",
            late_fee=f"{late:.2f}",
            lines="\n".join(
                f"{month_name(b.month)}：电费{b.amount:.2f}元"
                + (f"，违约金{b.late_fee:.2f}元" if b.late_fee else f"，{b.due_date.month}月{b.due_date.day}日到期")
                for b in owed
            ),
            as_of=local(owed[0].as_of),
        )


def _account(asked: Question) -> str:
    assert asked.account_no is not None, f"{asked.topic} needs a verified account"
    return asked.account_no


def _find(bills: Sequence[Bill], month: str | None) -> Bill | None:
    if month is None:
        return bills[0] if bills else None
    return next((bill for bill in bills if bill.month == month), None)


def _meant(asked: Question, bills: Sequence[Bill]) -> Bill | None:
    """The bill asked for; of a month that is not billed yet the newest, after saying so."""
    bill = _find(bills, asked.month)
    if bill is None:
        asked.say("say_no_bill", month=month_name(asked.month) if asked.month else "最近")
        if asked.month and bills and asked.month > bills[0].month:
            return bills[0]
    return bill


def billed_year(asked: Question, bills: Sequence[Bill]) -> int | None:
    """The whole year asked about, if one is; what 去年 means the bills' time tells."""
    return year(asked.text, bills[0].as_of.astimezone(SHANGHAI).date()) if bills and asked.month is None else None


def _say_year(asked: Question, named: int, bills: Sequence[Bill]) -> None:
    found = [bill for bill in bills if bill.month.startswith(str(named))]
    if not found:
        asked.say("say_no_bill", month=f"{named}年")
        return
    asked.say(
        "say_bill_year",
        kept=str(MONTHS_KEPT),
        year=str(named),
        count=str(len(found)),
        amount=f"{sum((bill.amount for bill in found), Decimal(0)):.2f}",
        kwh=number(sum((bill.kwh for bill in found), Decimal(0))),
        lines="\n".join(f"{int(bill.month[5:])}月：{bill.amount:.2f}元" for bill in found),
        as_of=local(found[0].as_of),
    )
    _card(asked, found[0], bills)


def _lines(bill: Bill) -> list[str]:
    return [
        f"{line.name}：{number(line.kwh)}千瓦时×{number(line.price)}元＝{line.amount:.2f}元"
        if line.kwh
        else f"{line.name}：{line.amount:.2f}元"
        for line in bill.lines
    ]


def _told(name: str, change: Change) -> str:
    if not change.total:
        return f"与{name}一样多。"
    more = "多" if change.total > 0 else "少"
    parts = [f"{PARTS[part]}{value:+.2f}元" for part, value in change.parts().items()]
    head = f"比{name}{more}{abs(change.total):.2f}元"
    if len(parts) == 1:
        return f"{head}，都来自{PARTS[next(iter(change.parts()))]}。"
    return f"{head}，最大的一项是{parts[0]}。\n其余：{'，'.join(parts[1:])}。"


def _told_short(change: Change) -> str:
    return (
        "，".join(f"{PARTS[part]}{value:+.2f}" for part, value in change.parts().items())
        + f" ＝ {change.total:+.2f} 元"
    )


def _card(asked: Question, bill: Bill, bills: Sequence[Bill], more: Sequence[tuple[str, str]] = ()) -> None:
    rows = [("用电量", f"{number(bill.kwh)} 千瓦时")]
    for line in bill.lines:
        value = (
            f"{number(line.kwh)} × {number(line.price)} = {line.amount:.2f} 元" if line.kwh else f"{line.amount:.2f} 元"
        )
        rows.append((line.name, value))
    rows.append(("电费合计", f"{bill.amount:.2f} 元"))
    if bill.late_fee:
        rows.append(("违约金", f"{bill.late_fee:.2f} 元"))
    rows += [("状态", "已缴清" if bill.paid else f"未缴，{bill.due_date:%m-%d} 前"), *more]
    start = bills.index(bill)
    chart = [[b.month, f"{b.amount:.2f}"] for b in reversed(bills[start : start + CHART_MONTHS])]
    asked.card("bill", f"{month_name(bill.month)}电费账单", rows, bill.as_of, source="营销系统", chart=chart)
