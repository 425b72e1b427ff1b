"""What the utility's systems know of an account, for the desk: one look, in which a silent system is named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from actions.systems import Account, Area, Systems, SystemUnavailable
from triage.incident import Place

BILLS = 6
T = TypeVar("T")


async def records(systems: Systems, account_no: str) -> Mapping[str, Any]:
    """Balance and arrears, the last bills, current outages of the area; `unchecked` names systems that were silent.

    Money and energy are strings, times ISO 8601. Holder, phone and address are left out: they are not needed here.
    """
    unchecked: list[str] = []
    account: Account | None = await _try(systems.account(account_no), unchecked)
    bills = await _try(systems.bills(account_no, BILLS), unchecked) or ()
    outages = (await _try(systems.outages(account.area_id), unchecked) or ()) if account is not None else ()
    found: dict[str, Any] = {"unchecked": sorted(set(unchecked)), "account": None}
    if account is not None:
        owed = -account.balance if account.kind == "postpaid" and account.balance < 0 else 0
        found["account"] = {
            "kind": account.kind, "status": account.status, "balance": str(account.balance), "arrears": str(owed),
            "as_of": account.as_of.isoformat(),
        }  # fmt: skip
    found["bills"] = [
        {"month": bill.month, "kwh": str(bill.kwh), "amount": str(bill.amount), "paid": bill.paid} for bill in bills
    ]
    found["outages"] = [
        {
            "kind": outage.kind, "reason": outage.reason, "starts_at": outage.starts_at.isoformat(),
            "ends_at": outage.ends_at.isoformat() if outage.ends_at else None,
            "restored_at": outage.restored_at.isoformat() if outage.restored_at else None, "crew": outage.crew,
            "as_of": outage.as_of.isoformat(),
        }
        for outage in outages
    ]  # fmt: skip
    return found


async def place(systems: Systems, account_no: str) -> Place | None:
    """Where on the grid the account is; None when unknown or when a system is silent."""
    try:
        account = await systems.account(account_no)
        if account is None:
            return None
        # the account knows its area by id; its transformer is looked up by the address
        found: Area | None = next(
            (area for area in await systems.areas(account.address) if area.area_id == account.area_id), None
        )
    except SystemUnavailable:
        return None
    return Place(found.name, found.transformer, found.feeder) if found is not None else None


async def _try(look: Awaitable[T], unchecked: list[str]) -> T | None:
    try:
        async with asyncio.timeout(3):
            return await look
    except SystemUnavailable as failure:
        unchecked.append(failure.system)
    except TimeoutError:
        unchecked.append("业务系统")
    return None
