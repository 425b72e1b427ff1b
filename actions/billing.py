"""Answers about an account's money and energy; every figure comes from the billing system with its time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.account_form import LEFT
from actions.speech import (
    SHANGHAI,
    Clock,
    Events,
    card,
    conversation,
    follow,
    local,
    month_name,
    number,
    say_unavailable,
)
from actions.systems import Bill, BillingSystem, SystemUnavailable
from actions.verification import Verification

MONTHS_KEPT = 24
USAGE_DAYS = 7


class ActionAccount(Action):
    """After the account form: answers the question the form was opened for, or goes on to the new subject."""

    def __init__(
        self, billing: BillingSystem, verification: Verification, clock: Clock, subjects: Mapping[str, str]
    ) -> None:
        """`clock` tells which days are the last ones; `subjects` which action each intent leads to."""
        self._subjects = subjects
        self._billing = billing
        self._verification = verification
        self._clock = clock
        self._answers: dict[str, Callable[[CollectingDispatcher, str, str | None], Awaitable[None]]] = {
            "query_bill": self._bill,
            "query_balance": self._balance,
            "query_arrears": self._arrears,
            "explain_high_bill": self._explain,
            "query_usage": self._usage,
            "ask_usage_analysis": self._usage,
            "ask_tariff_tier": self._tier,
            "ask_late_fee": self._late_fee,
        }

    def name(self) -> str:
        """Rasa's name of the action."""
        return "action_account"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Say the answer; the form's slots are emptied."""
        account_no = await self._verification.account(conversation(tracker))
        topic = tracker.get_slot("topic")
        done = [SlotSet(name, None) for name in ("topic", "month", "account_no", "phone_last4")]
        if topic == LEFT:
            return [*done, *follow(tracker, self._subjects)]
        if account_no is None or topic not in self._answers:
            return done
        try:
            await self._answers[topic](dispatcher, account_no, tracker.get_slot("month"))
        except SystemUnavailable as failure:
            say_unavailable(dispatcher, failure)
        return done

    async def _bill(self, dispatcher: CollectingDispatcher, account_no: str, month: str | None) -> None:
        bill = await self._find(account_no, month)
        if bill is None:
            dispatcher.utter_message(response="utter_no_bill", month=month_name(month) if month else "最近")
            return
        state = "已缴清" if bill.paid else f"还没有缴，请在{bill.due_date.month}月{bill.due_date.day}日前缴费"
        if bill.late_fee:
            state += f"，另有违约金{bill.late_fee}元"
        self._say_bill(dispatcher, "utter_bill", bill, state=state)

    async def _tier(self, dispatcher: CollectingDispatcher, account_no: str, month: str | None) -> None:
        bill = await self._find(account_no, month)
        if bill is None:
            dispatcher.utter_message(response="utter_no_bill", month=month_name(month) if month else "最近")
            return
        self._say_bill(dispatcher, "utter_tier", bill)

    async def _explain(self, dispatcher: CollectingDispatcher, account_no: str, month: str | None) -> None:
        bills = await self._billing.bills(account_no, MONTHS_KEPT)
        by_month = {bill.month: bill for bill in bills}
        bill = by_month.get(month) if month else (bills[0] if bills else None)
        if bill is None:
            dispatcher.utter_message(response="utter_no_bill", month=month_name(month) if month else "最近")
            return
        year, index = divmod(int(bill.month[:4]) * 12 + int(bill.month[5:]) - 2, 12)
        before = by_month.get(f"{year}-{index + 1:02d}")
        last_year = by_month.get(f"{int(bill.month[:4]) - 1}{bill.month[4:]}")
        found = [_compare("上个月", bill, before), _compare("去年同月", bill, last_year)]
        if len(bill.lines) > 1:
            found.append(f"其中{bill.lines[-1].name}按较高的{number(bill.lines[-1].price)}元计价。")
        self._say_bill(dispatcher, "utter_explain", bill, comparison="\n".join(line for line in found if line))

    async def _balance(self, dispatcher: CollectingDispatcher, account_no: str, month: str | None) -> None:
        account = await self._billing.account(account_no)
        if account is None:
            raise SystemUnavailable("营销系统", f"verified account {account_no[-4:]} is unknown")
        if account.balance < 0:
            await self._arrears(dispatcher, account_no, month)
            return
        dispatcher.utter_message(response="utter_balance", balance=f"{account.balance:.2f}", as_of=local(account.as_of))

    async def _arrears(self, dispatcher: CollectingDispatcher, account_no: str, month: str | None) -> None:
        account = await self._billing.account(account_no)
        if account is None:
            raise SystemUnavailable("营销系统", f"verified account {account_no[-4:]} is unknown")
        owed = [bill for bill in await self._billing.bills(account_no, MONTHS_KEPT) if not bill.paid]
        if not owed:
            dispatcher.utter_message(response="utter_no_arrears", as_of=local(account.as_of))
            return
        late = sum((bill.late_fee for bill in owed), Decimal(0))
        total = sum((bill.amount for bill in owed), Decimal(0)) + late
        dispatcher.utter_message(
            response="utter_arrears",
            count=str(len(owed)),
            total=f"{total:.2f}",
            late_fee=f"（含违约金{late:.2f}元）" if late else "",
            lines="\n".join(f"{month_name(bill.month)}：{bill.amount:.2f}元" for bill in owed),
            as_of=local(owed[0].as_of),
        )

    async def _late_fee(self, dispatcher: CollectingDispatcher, account_no: str, month: str | None) -> None:
        bills = await self._billing.bills(account_no, MONTHS_KEPT)
        total = sum((bill.late_fee for bill in bills if not bill.paid), Decimal(0))
        as_of = local(bills[0].as_of if bills else self._clock())
        if total:
            dispatcher.utter_message(response="utter_late_fee", total=f"{total:.2f}", as_of=as_of)
        else:
            dispatcher.utter_message(response="utter_no_late_fee", as_of=as_of)

    async def _usage(self, dispatcher: CollectingDispatcher, account_no: str, month: str | None) -> None:
        today = self._clock().astimezone(SHANGHAI).date()
        days = await self._billing.usage(account_no, today - timedelta(days=USAGE_DAYS), today)
        if not days:
            dispatcher.utter_message(response="utter_no_usage")
            return
        total = sum((day.kwh for day in days), Decimal(0))
        dispatcher.utter_message(
            response="utter_usage",
            days=str(len(days)),
            total=number(total),
            average=f"{total / len(days):.1f}",
            lines="\n".join(f"{day.date.month}月{day.date.day}日：{number(day.kwh)}千瓦时" for day in days),
        )
        rows = [(f"{day.date.month}月{day.date.day}日", f"{number(day.kwh)} 千瓦时") for day in days]
        dispatcher.utter_message(json_message=card("usage", "近日用电", rows, None))

    async def _find(self, account_no: str, month: str | None) -> Bill | None:
        bills = await self._billing.bills(account_no, MONTHS_KEPT)
        if month is None:
            return bills[0] if bills else None
        return next((bill for bill in bills if bill.month == month), None)

    @staticmethod
    def _say_bill(dispatcher: CollectingDispatcher, response: str, bill: Bill, **more: str) -> None:
        dispatcher.utter_message(
            response=response,
            month=month_name(bill.month),
            amount=f"{bill.amount:.2f}",
            kwh=number(bill.kwh),
            lines="\n".join(_line(bill)),
            as_of=local(bill.as_of),
            **more,
        )
        rows = [
            ("用电量", f"{number(bill.kwh)} 千瓦时"),
            *((line.name, f"{number(line.kwh)} × {number(line.price)} = {line.amount:.2f} 元") for line in bill.lines),
            ("电费合计", f"{bill.amount:.2f} 元"),
        ]
        if bill.late_fee:
            rows.append(("违约金", f"{bill.late_fee:.2f} 元"))
        rows.append(("状态", "已缴清" if bill.paid else f"未缴，{bill.due_date:%m-%d} 前"))
        dispatcher.utter_message(json_message=card("bill", f"{month_name(bill.month)}电费账单", rows, bill.as_of))


def _line(bill: Bill) -> Sequence[str]:
    return [f"{line.name}：{number(line.kwh)}千瓦时×{number(line.price)}元＝{line.amount:.2f}元" for line in bill.lines]


def _compare(name: str, bill: Bill, other: Bill | None) -> str:
    if other is None or not other.kwh:
        return ""
    change = bill.kwh - other.kwh
    if not change:
        return f"与{name}（{number(other.kwh)}千瓦时）用电一样多。"
    share = f"{abs(change) / other.kwh * 100:.0f}%"
    more = "多" if change > 0 else "少"
    return f"比{name}（{number(other.kwh)}千瓦时）{more}用{number(abs(change))}千瓦时，{share}。"
