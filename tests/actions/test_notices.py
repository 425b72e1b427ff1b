"""Alerts fire once per crossing; estimates are told once; a "no" after restoration opens a new report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from rasa_sdk.executor import CollectingDispatcher

from actions.alerts import Alerts, threshold
from actions.outage_watch import OutageWatch, is_back
from actions.question import Question
from actions.sentences import Sentences
from actions.systems import Account, Area, DailyUsage, Outage
from actions.systems_sample import SampleSystems
from bot.conversation import Conversations
from bot.database import Database
from bot.dialogue.responses import Responses
from bot.message import Inbound
from tests.fakes import RememberingDesk, ScriptedDialogue

NOW = datetime.now(UTC).replace(microsecond=0)
AREA = Area("A1", "翠湖小区", "", "")
FAULT = Outage("F1", "fault", "雷击", ("A1",), NOW - timedelta(hours=1), NOW + timedelta(hours=1), None, "arrived", NOW)


class Changing(SampleSystems):
    """A utility whose balance, usage and outages the test changes."""

    def __init__(self) -> None:
        super().__init__(lambda: NOW)
        self.balance = Decimal(100)
        self.kwh = Decimal(0)
        self.now: list[Outage] = [FAULT]
        self.reported: list[str] = []

    async def account(self, account_no: str) -> Account | None:
        return Account(account_no, "王", "13800001580", "x", "A1", "prepaid", "zhejiang", "normal", self.balance, NOW)

    async def usage(self, account_no: str, start: date, end: date) -> Sequence[DailyUsage]:
        return [DailyUsage(end, self.kwh, NOW)]

    async def outages(self, area_id: str) -> Sequence[Outage]:
        return self.now

    async def report_fault(
        self, *, account_no: str | None, area_id: str | None, description: str, contact: str, idempotency_key: str
    ) -> str:
        if idempotency_key not in self.reported:
            self.reported.append(idempotency_key)
        return f"BX{self.reported.index(idempotency_key)}"


class Stage:
    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.systems = Changing()
        self.conversations = Conversations(self.database, ScriptedDialogue(), RememberingDesk())
        parts = (self.database, self.systems, self.conversations, Sentences(Responses()), lambda: NOW)
        self.alerts, self.watch = Alerts(*parts), OutageWatch(*parts)
        self.id = 0

    async def __aenter__(self) -> Stage:
        await self.database.migrate()
        receipt = await self.conversations.receive(Inbound("web", "a", "1", "你好", NOW))
        await self.conversations.answer(receipt.conversation)
        self.id = receipt.conversation
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.database.close()

    async def told(self) -> list[str]:
        return [message.text for message in await self.conversations.messages(self.id, after=2)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("余额低于50元提醒我", ("balance", Decimal(50))),
        ("这个月用电超过三百度告诉我", ("month_kwh", Decimal(300))),
        ("余额不足50提醒", ("balance", Decimal(50))),
        ("余额3310000017", None),
        ("设置提醒", None),
    ],
)
def test_the_threshold_is_read_from_the_words(text: str, found: object) -> None:
    assert threshold(text) == found


def test_an_alert_fires_once_for_each_crossing(database_url: Callable[[], str]) -> None:
    async def scene() -> None:
        async with Stage(database_url()) as stage:
            asked = Question(
                CollectingDispatcher(), stage.id, 1, "set_usage_alert", "余额低于50元提醒我", "331", None, "balance:50"
            )
            await stage.alerts.answer(asked)
            sent = []
            for balance in ("60", "49", "30", "80", "10"):
                stage.systems.balance = Decimal(balance)
                sent.append(await stage.alerts.look())
            assert sent == [0, 1, 0, 0, 1]
            told = await stage.told()
            assert len(told) == 2 and "现在是49元" in told[0] and "数据时间" in told[0]
            await stage.alerts.answer(replace(asked, threshold=None, text="取消用电提醒"))
            stage.systems.balance = Decimal(100)
            await stage.alerts.look()
            stage.systems.balance = Decimal(1)
            assert await stage.alerts.look() == 0

    asyncio.run(scene())


def test_a_changed_estimate_is_told_once_and_restoration_is_asked_about(database_url: Callable[[], str]) -> None:
    async def scene() -> None:
        async with Stage(database_url()) as stage:
            await stage.watch.follow(stage.id, AREA, FAULT)
            assert await stage.watch.look() == 0
            later = replace(FAULT, ends_at=NOW + timedelta(hours=3))
            stage.systems.now = [later]
            assert [await stage.watch.look(), await stage.watch.look()] == [1, 0]
            stage.systems.now = [replace(later, restored_at=NOW)]
            assert [await stage.watch.look(), await stage.watch.look()] == [1, 0]
            told = await stage.told()
            assert "预计来电时间改为" in told[0] and told[1].endswith("您家来电了吗？")
            waiting = await stage.watch.awaited(stage.id)
            assert waiting is not None
            assert await stage.watch.settle(waiting) and not await stage.watch.settle(waiting)
            assert await stage.watch.awaited(stage.id) is None

    asyncio.run(scene())


def test_a_fault_is_reported_once_until_it_is_settled(database_url: Callable[[], str]) -> None:
    async def scene() -> None:
        async with Stage(database_url()) as stage:
            first = await stage.watch.report(stage.id, AREA, None, "没电")
            assert await stage.watch.report(stage.id, AREA, None, "还是没电") == first
            assert len(stage.systems.reported) == 1
            # the outage appears later: its estimate is told, then its end is asked about
            assert await stage.watch.look() == 1
            stage.systems.now = [replace(FAULT, restored_at=NOW)]
            await stage.watch.look()
            waiting = await stage.watch.awaited(stage.id)
            assert waiting is not None and await stage.watch.settle(waiting)
            assert await stage.watch.report(stage.id, AREA, None, "还是没电") != first

    asyncio.run(scene())


def test_a_subscription_tells_each_new_outage_once(database_url: Callable[[], str]) -> None:
    async def scene() -> None:
        async with Stage(database_url()) as stage:
            await stage.watch.subscribe(stage.id, AREA, [FAULT], wanted=True)
            assert await stage.watch.look() == 0
            start = NOW + timedelta(days=2)
            stage.systems.now = [FAULT, replace(FAULT, outage_id="P1", kind="planned", starts_at=start)]
            assert [await stage.watch.look(), await stage.watch.look()] == [1, 0]
            assert "计划停电" in (await stage.told())[0]
            await stage.watch.subscribe(stage.id, AREA, [], wanted=False)
            stage.systems.now.append(replace(FAULT, outage_id="P2"))
            assert await stage.watch.look() == 0

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("text", "back"),
    [("来了", True), ("有电了，谢谢", True), ("还没有", False), ("没来电", False), ("不用了", None), ("查电费", None)],
)
def test_what_an_answer_about_power_means(text: str, back: bool | None) -> None:
    assert is_back(text) is back
