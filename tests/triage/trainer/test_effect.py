"""Misses by day and intent, before and after a promotion, over a real database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from bot.message import Reading
from bot.readings import ReadingRow, store
from tests.triage.stage import Stage, Url, run
from triage.trainer.effect import Effect, settled

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai


async def said(
    stage: Stage, text: str, intent: str, at: datetime, confidence: float = 0.9, fallback: bool = False
) -> None:
    """A customer's message, read so at that time."""
    conversation = await stage.say(f"c-{text}-{at}-{confidence}", text)
    async with stage.database.write() as session:
        store(session, conversation, 1, text, Reading(((intent, confidence),), (), "v1", fallback))
        await session.flush()
        await session.execute(update(ReadingRow).where(ReadingRow.conversation_id == conversation).values(at=at))


def test_misses_are_counted_by_kind_day_and_intent(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await said(stage, "查电费", "query_bill", NOON)
        await said(stage, "电老虎", "query_bill", NOON, 0.2, fallback=True)
        await said(stage, "表疯了", "report_meter_problem", NOON, 0.3)
        await said(stage, "按钮", "greet", NOON, 1.0)
        late = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)  # already the 21st in Shanghai
        await said(stage, "宝贝不转了", "greet", late)
        effect = Effect(stage.database)
        days = await effect.days(date(2026, 11, 19), date(2026, 11, 21), {})
        assert [(one["day"], one["turns"], one["misses"]) for one in days] == [
            ("2026-11-19", 0, 0), ("2026-11-20", 3, 2), ("2026-11-21", 1, 0),
        ]  # fmt: skip
        assert (days[1]["fallback"], days[1]["low"]) == (1, 1)
        rows = {one["intent"]: one for one in await effect.intents(NOON, late + timedelta(hours=1), {})}
        assert (rows["query_bill"]["turns"], rows["query_bill"]["misses"]) == (2, 1)

    run(database_url(), scene)


@pytest.mark.slow
def test_a_settled_meaning_moves_the_message_to_its_intent(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await said(stage, "宝贝不转了", "greet", NOON)
        await said(stage, "宝贝，不转了！", "report_meter_problem", NOON + timedelta(hours=1))
        effect = Effect(stage.database)
        [row] = await effect.intents(NOON, NOON + timedelta(hours=2), {"宝贝不转了": "report_meter_problem"})
        assert (row["intent"], row["turns"], row["corrected"]) == ("report_meter_problem", 2, 1)

    run(database_url(), scene)


def test_before_and_after_a_promotion(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        promoted = NOON + timedelta(days=1)
        for hour in range(4):
            await said(stage, f"宝贝不转了{hour}", "greet", NOON + timedelta(hours=hour), 0.2, fallback=True)
            await said(stage, f"又不转了{hour}", "report_meter_problem", promoted + timedelta(hours=hour))
        await said(stage, "很久以前", "greet", NOON - timedelta(days=30), 0.2, fallback=True)
        effect = Effect(stage.database)
        first, second = (promoted - timedelta(days=5), "v1"), (promoted, "v2")
        newest, oldest = await effect.promotions([first, second], promoted + timedelta(days=2), {})
        assert newest["version"] == "v2" and newest["day"] == "2026-11-21" and newest["part"] == 0.5
        assert (newest["before"]["misses"], newest["after"]["misses"]) == (4, 0)
        assert newest["before"]["turns"] == 4  # what an older model read is not the week before
        assert (oldest["before"]["turns"], oldest["after"]["turns"]) == (0, 4)

    run(database_url(), scene)


def test_nothing_said_is_no_error(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        assert await settled(stage.database) == {}
        assert await Effect(stage.database).intents(NOON, NOON + timedelta(days=1), {}) == []

    run(database_url(), scene)
