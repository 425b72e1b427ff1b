"""「我家停电了」: every system that may know is asked at once, and whoever is slow is named as not checked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from actions.systems import Account, DailyUsage, Outage, Systems
from triage.queue import TicketQueue

BUDGET = 1.2
METER_DAYS = 4
NAMES = {"outages": "停电信息", "tickets": "您的工单", "account": "账户状态", "usage": "电表数据"}


@dataclass(frozen=True)
class Findings:
    """What was found; `unchecked` are the Chinese names of what did not answer in time."""

    outages: Sequence[Outage] = ()
    tickets: Sequence[Any] = ()
    account: Account | None = None
    usage: Sequence[DailyUsage] = ()
    unchecked: tuple[str, ...] = field(default=())

    def current(self, now: datetime) -> Outage | None:
        """The outage going on."""
        return next((o for o in self.outages if o.starts_at <= now and o.restored_at is None), None)

    def restored(self) -> Outage | None:
        """The last one that is over."""
        return next((o for o in self.outages if o.restored_at is not None), None)

    def cause(self, now: datetime, many: bool | None) -> str:
        """The one conclusion: outage, arrears, prepaid, many, breaker, or unknown when outages could not be checked.

        `many` is False when the neighbours have power: an outage of the area is not the cause then. Arrears come from
        the verified holder's own account only.
        """
        if self.current(now) is not None and many is not False:
            return "outage"
        if not many and self.account is not None:
            if cut_for_money(self.account):
                return "prepaid" if self.account.kind == "prepaid" else "arrears"
        if NAMES["outages"] in self.unchecked:
            return "unknown"
        return "many" if many else "breaker"


def cut_for_money(account: Account) -> bool:
    """Whether the account is without power because of arrears, or of a prepaid balance that is used up."""
    return account.status == "arrears_cut" or (account.kind == "prepaid" and account.balance < 0)


async def check(
    systems: Systems, queue: TicketQueue, conversation: int, area_id: str, account_no: str | None, today: date,
    budget: float = BUDGET,
) -> Findings:  # fmt: skip
    """Ask all in parallel within `budget` seconds; `account_no` is the verified one or None (then it is not asked)."""
    questions: dict[str, Awaitable[Any]] = {
        "outages": systems.outages(area_id),
        "tickets": queue.progress(conversation),
    }
    if account_no is not None:
        questions["account"] = systems.account(account_no)
        questions["usage"] = systems.usage(account_no, today - timedelta(days=METER_DAYS), today)
    return _findings(await within(questions, budget))


async def within(questions: Mapping[str, Awaitable[Any]], budget: float) -> dict[str, Any]:
    """The answers that came within `budget` seconds without an error, by name."""
    tasks = {name: asyncio.ensure_future(question) for name, question in questions.items()}
    await asyncio.wait(tasks.values(), timeout=budget)
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    answered = {n: t for n, t in tasks.items() if not t.cancelled() and t.exception() is None}
    found: dict[str, Any] = {name: task.result() for name, task in answered.items()}
    found["unchecked"] = tuple(NAMES.get(name, name) for name in questions if name not in answered)
    return found


def _findings(found: Mapping[str, Any]) -> Findings:
    return Findings(**found)
