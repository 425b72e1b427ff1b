"""Answers about paying: orders, invoice, refund, autopay, card meter, reconnection; tickets where a person must act."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from actions.billing import MONTHS_KEPT, billed_year
from actions.numbers import amount
from actions.question import Answer, Button, Question
from actions.speech import Clock, local, month_name
from actions.systems import BillingSystem, Payment
from triage.queue import TicketQueue

RECENT = timedelta(days=10)
TWICE = timedelta(days=3)
NEWEST = 6
BY_POST = re.compile("[邮寄]|快递|(发|传|送)(到|给|来)")
HALL: Button = {"title": "找营业厅", "payload": "/find_service_hall"}
PERSON: Button = {"title": "转人工", "payload": "/request_human"}
PAY: Button = {"title": "怎么缴费", "payload": "/pay_bill"}
STATES = {"credited": "已到账", "pending": "处理中，还没有到账", "failed": "没有成功，款项由支付渠道退回"}


class PaymentAnswers:
    """Orders are the billing system's; what a person must settle becomes a ticket."""

    def __init__(self, billing: BillingSystem, queue: TicketQueue, clock: Clock) -> None:
        """`clock` tells which payments are recent."""
        self._billing = billing
        self._queue = queue
        self._clock = clock
        self.answers: dict[str, Answer] = {
            "payment_not_credited": self.not_credited,
            "request_refund": self.refund,
            "request_invoice": self.invoice,
            "ask_autopay": self.autopay,
            "buy_power_card": self.card_meter,
            "request_reconnect": self.reconnect,
        }

    async def not_credited(self, asked: Question) -> None:
        """The order's own state; whatever is not credited becomes a ticket."""
        assert asked.account_no is not None
        payments = await self._billing.payments(asked.account_no)
        order = _meant(payments, asked.text)
        if order is None:
            order = next((p for p in payments if p.paid_at > self._clock() - RECENT), None)
        if order is None:
            asked.say("say_no_order", as_of=local(payments[0].as_of if payments else self._clock()))
            await self._file(asked)
            return
        asked.say("say_order", (), **_order(order))
        asked.card("payment", "缴费订单", _rows(order), order.as_of, source="营销系统")
        if order.status == "credited":
            asked.say("say_order_credited", [{"title": "仍有疑问，转人工", "payload": "/request_human"}])
        else:
            await self._file(asked)

    async def refund(self, asked: Question) -> None:
        """Two equal payments within three days are named; a person decides and pays back."""
        assert asked.account_no is not None
        payments = await self._billing.payments(asked.account_no)
        pair = _paid_twice(payments)
        if pair is not None:
            asked.say("say_paid_twice", amount=f"{pair[0].amount:.2f}", first=pair[1].order_no, second=pair[0].order_no,
                      as_of=local(pair[0].as_of))  # fmt: skip
        asked.say("say_refund_rule")
        await self._file(asked)

    async def invoice(self, asked: Question) -> None:
        """Where invoices are; with a verified account, which bills can have one now: the newest, or a year's."""
        if BY_POST.search(asked.text):
            asked.say("say_invoice_by_post", [HALL, PERSON])
            return
        asked.say("say_request_invoice")
        if asked.account_no is None:
            return
        bills = await self._billing.bills(asked.account_no, MONTHS_KEPT)
        if (named := billed_year(asked, bills)) is not None:
            paid = "、".join(
                str(int(b.month[5:])) for b in reversed(bills) if b.paid and b.month.startswith(str(named))
            )
            months = f"{named}年{paid}月" if paid else f"{named}年暂无"
            asked.say("say_invoice_months", months=months, as_of=local(bills[0].as_of))
            return
        wanted = next((b for b in bills if b.month == asked.month), None) if asked.month else None
        if wanted is not None and wanted.paid:
            asked.say("say_invoice_months", months=month_name(wanted.month), as_of=local(wanted.as_of))
        elif wanted is not None:
            asked.say("say_invoice_unpaid", [PAY], month=month_name(wanted.month), as_of=local(wanted.as_of))
        elif bills:
            paid = "、".join(bill.month for bill in bills[:NEWEST] if bill.paid)
            asked.say("say_invoice_months", months=paid or "暂无", as_of=local(bills[0].as_of))

    async def autopay(self, asked: Question) -> None:
        """How to sign or end it, and since when the account pays by it if the orders show so."""
        asked.say("say_ask_autopay")
        if asked.account_no is None:
            return
        payments = await self._billing.payments(asked.account_no)
        signed = next((p for p in payments if "代扣" in p.channel), None)
        if signed is not None:
            asked.say("say_autopay_last", (), **_order(signed))

    async def card_meter(self, asked: Question) -> None:
        """How a card meter is topped up; the balance where the system keeps one."""
        asked.say("say_buy_power_card")
        account = await self._billing.account(asked.account_no) if asked.account_no else None
        if account is not None and account.kind == "prepaid":
            asked.say("say_balance", balance=f"{account.balance:.2f}", as_of=local(account.as_of))

    async def reconnect(self, asked: Question) -> None:
        """By the account's state: still owing, paid and cut, or never cut for arrears."""
        assert asked.account_no is not None
        account = await self._billing.account(asked.account_no)
        if account is None:
            asked.say("say_reconnect_rule")
            return
        due = -account.balance if account.balance < 0 else Decimal(0)
        if due:
            asked.say("say_reconnect_owing", [PAY, PERSON], due=f"{due:.2f}", as_of=local(account.as_of))
        elif account.status == "arrears_cut":
            asked.say("say_reconnect_paid", as_of=local(account.as_of))
            await self._file(asked, f"电费已缴清，申请复电：{asked.text}")
        elif account.status == "closed":
            asked.say("say_account_closed", [PERSON], as_of=local(account.as_of))
        else:
            asked.say(
                "say_not_cut",
                [{"title": "我家停电了", "payload": "/report_outage"}, PERSON],
                as_of=local(account.as_of),
            )

    async def _file(self, asked: Question, text: str | None = None) -> None:
        filed = await self._queue.file(asked.conversation, asked.seq, text or asked.text, asked.account_no)
        asked.say("say_filed", number=filed.number, promise=filed.promise)
        asked.card("ticket", "已登记", [("工单号", filed.number), ("承诺", filed.promise)], None)


def _meant(payments: Sequence[Payment], text: str) -> Payment | None:
    """The payment whose order number or amount the customer names."""
    for payment in payments:
        if payment.order_no.casefold() in text.casefold():
            return payment
    named = amount(text)
    return next((p for p in payments if named is not None and p.amount == named), None)


def _paid_twice(payments: Sequence[Payment]) -> tuple[Payment, Payment] | None:
    """The newest two credited payments of one amount within three days, the later first."""
    credited = [p for p in payments if p.status == "credited"]
    for later, earlier in zip(credited, credited[1:], strict=False):
        if later.amount == earlier.amount and later.paid_at - earlier.paid_at <= TWICE:
            return later, earlier
    return None


def _order(payment: Payment) -> dict[str, str]:
    return {
        "order": payment.order_no,
        "channel": payment.channel,
        "amount": f"{payment.amount:.2f}",
        "paid_at": local(payment.paid_at),
        "state": STATES.get(payment.status, re.sub(r"[^\w]", "", payment.status)),
        "as_of": local(payment.as_of),
    }


def _rows(payment: Payment) -> list[tuple[str, str]]:
    shown = _order(payment)
    return [
        ("订单号", shown["order"]), ("渠道", shown["channel"]), ("金额", f"{shown['amount']} 元"),
        ("缴费时间", shown["paid_at"]), ("状态", shown["state"]),
    ]  # fmt: skip
