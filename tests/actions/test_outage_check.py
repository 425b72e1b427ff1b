"""「我家停电了」: all systems at once, one conclusion, the slow ones named."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from actions.follow import scope
from actions.outage_check import Findings, within
from actions.systems import Account, Outage, SystemUnavailable

NOW = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
FAULT = Outage("F1", "fault", "雷击", ("A1",), NOW - timedelta(hours=1), None, None, "arrived", NOW)
ACCOUNT = Account("331", "王", "1", "x", "A1", "postpaid", "zhejiang", "normal", Decimal(0), NOW)
CUT = replace(ACCOUNT, status="arrears_cut", balance=Decimal("-9.00"))
EMPTY = replace(ACCOUNT, kind="prepaid", balance=Decimal("-1.00"))


@pytest.mark.parametrize(
    ("outages", "account", "many", "unchecked", "cause"),
    [
        ([FAULT], CUT, None, (), "outage"),
        ([FAULT], CUT, False, (), "arrears"),
        ([FAULT], None, False, (), "breaker"),
        ([replace(FAULT, restored_at=NOW)], CUT, False, (), "arrears"),
        ([], CUT, None, (), "arrears"),
        ([], CUT, True, (), "many"),
        ([], EMPTY, False, (), "prepaid"),
        ([], ACCOUNT, False, (), "breaker"),
        ([], None, False, (), "breaker"),
        ([], None, True, (), "many"),
        ([], None, False, ("停电信息",), "unknown"),
        ([], CUT, False, ("停电信息",), "arrears"),
    ],
)
def test_one_conclusion(
    outages: Sequence[Outage], account: Account | None, many: bool | None, unchecked: tuple[str, ...], cause: str
) -> None:
    assert Findings(outages=outages, account=account, unchecked=unchecked).cause(NOW, many) == cause


def test_whoever_is_slow_or_fails_is_named_and_waited_for_no_longer() -> None:
    async def fine() -> str:
        return "x"

    async def slow() -> str:
        await asyncio.sleep(60)
        return "y"

    async def broken() -> str:
        raise SystemUnavailable("营销系统", "down")

    async def scene() -> None:
        async with asyncio.timeout(10):
            found = await within({"outages": fine(), "tickets": slow(), "account": broken()}, budget=0.2)
        assert found == {"outages": "x", "unchecked": ("您的工单", "账户状态")}

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("text", "extent"),
    [
        ("就我一家没电", "one"),
        ("隔壁都有电就我家黑", "one"),
        ("只有我们家停电", "one"),
        ("整栋楼都停了", "many"),
        ("邻居也停了", "many"),
        ("我们这一片全黑了", "many"),
        ("我家停电了", None),
    ],
)
def test_one_home_or_many(text: str, extent: str | None) -> None:
    assert scope(text) == extent
